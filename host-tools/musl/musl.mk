# SPDX-License-Identifier: MIT
# narthex is started for every command in a container, and half of a short start is the C library's own. With
# musl (package musl-tools) it takes 0.18 ms instead of 0.49; without it narthex is linked with the same library
# as everything else. MUSL= chooses the latter. Sanitizers need it, too.

MUSL ?= $(shell command -v musl-gcc)
MUSL_ARCH := $(shell $(CC) -print-multiarch)
MUSL_DIR := $(dir $(wildcard /usr/lib/$(MUSL_ARCH:-gnu=-musl)/rcrt1.o))
ifneq ($(and $(MUSL),$(MUSL_DIR),$(if $(SAN),,yes)),)

# the whole of narthex, and nothing else of libhost.a
MUSL_SRC := $(NARTHEX_SRC) $(COMMON_SRC) $(wildcard host-tools/config*.c) $(foreach m,asciicast ctl-verbs door-client \
	exec-answers exec-client foreign-pty ghost-connect kept kept-client lane name nearest program quick-poll remote terminal-raw trust verbs,host-tools/$(m).c)
MUSL_OBJ := $(MUSL_SRC:%.c=$(B)/musl/%.o)

# the kernel's headers come last: beside them lie glibc's
$(MUSL_OBJ): $(B)/musl/%.o: %.c $(FLAGS_STAMP) | $(B)/.deps
	@mkdir -p $(@D)
	$(call say,MUSL,$<)
	$(Q)$(MUSL) $(filter-out -D_FORTIFY_SOURCE=3,$(ALL_CFLAGS)) -Wno-conversion -include host-tools/musl/compat.h \
		-idirafter /usr/include -idirafter /usr/include/$(MUSL_ARCH) -MMD -MP -c -o $@ $<
-include $(MUSL_OBJ:.o=.d)

# by hand: musl-gcc doesn't know -static-pie
NARTHEX_OBJ := $(MUSL_OBJ)
link_narthex = $(Q)$(CC) -nostdlib -static-pie -Wl,-z,relro,-z,now $(LDFLAGS) -o $@ $(MUSL_DIR)rcrt1.o $(MUSL_DIR)crti.o \
	$(filter %.o,$^) $(MUSL_DIR)libc.a -lgcc $(MUSL_DIR)crtn.o

endif
