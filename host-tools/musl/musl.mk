# SPDX-License-Identifier: MIT
# narthex is started for every command in a container, narthex-launch for every container, and half of a short start is
# the C library's own. With musl (package musl-tools) narthex takes 0.18 ms instead of 0.49; without it both are linked
# with the same library as everything else. MUSL= chooses the latter. Sanitizers need it, too.

MUSL ?= $(shell command -v musl-gcc)
MUSL_ARCH := $(shell $(CC) -print-multiarch)
MUSL_DIR := $(dir $(wildcard /usr/lib/$(MUSL_ARCH:-gnu=-musl)/rcrt1.o))
ifneq ($(and $(MUSL),$(MUSL_DIR),$(if $(SAN),,yes)),)

# the whole of both, and nothing else of libhost.a
MUSL_NARTHEX_SRC := host-tools/musl/fortify.c $(NARTHEX_SRC) $(COMMON_SRC) $(wildcard host-tools/config/config*.c host-tools/client/*.c) \
	$(foreach m,ctl-verbs kept name nearest program remote verbs,host-tools/$(m).c)
MUSL_LAUNCH_SRC := host-tools/launch/main.c $(LAUNCH_SRC) $(COMMON_SRC) $(HOST_SRC) $(addprefix host-tools/musl/,fortify.c libevent.c)
MUSL_OBJ := $(sort $(patsubst %.c,$(B)/musl/%.o,$(MUSL_NARTHEX_SRC) $(MUSL_LAUNCH_SRC)))

# the kernel's headers come last: beside them lie glibc's
$(MUSL_OBJ): $(B)/musl/%.o: %.c $(FLAGS_STAMP) | $(B)/.deps
	@mkdir -p $(@D)
	$(call say,MUSL,$<)
	$(Q)$(MUSL) $(ALL_CFLAGS) -Wno-conversion -isystem host-tools/musl/include -include host-tools/musl/compat.h \
		-idirafter /usr/include -idirafter /usr/include/$(MUSL_ARCH) -MMD -MP -c -o $@ $<
-include $(MUSL_OBJ:.o=.d)

# by hand: musl-gcc doesn't know -static-pie
link_musl = $(Q)$(CC) -nostdlib -static-pie -Wl,-z,relro,-z,now -Wl,--gc-sections $(LDFLAGS) -o $@ $(MUSL_DIR)rcrt1.o $(MUSL_DIR)crti.o \
	$(filter %.o,$^)

NARTHEX_OBJ := $(MUSL_NARTHEX_SRC:%.c=$(B)/musl/%.o)
link_narthex = $(link_musl) $(MUSL_DIR)libc.a -lgcc $(MUSL_DIR)crtn.o

# libevent as it is there, compiled for glibc: host-tools/musl/libevent.c
LIBEVENT := $(filter /%,$(shell $(CC) -print-file-name=libevent_core.a))
ifneq ($(LIBEVENT),)
LAUNCH_OBJ := $(MUSL_LAUNCH_SRC:%.c=$(B)/musl/%.o)
link_launch = $(link_musl) $(LIBEVENT) $(MUSL_DIR)libc.a -lgcc $(MUSL_DIR)crtn.o
endif

endif
