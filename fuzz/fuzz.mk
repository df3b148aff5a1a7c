# SPDX-License-Identifier: MIT
# Every fuzz/fuzz-X.c is the production parser with clang's libFuzzer and sanitizers.
#
# make fuzz: each for FUZZ_SECONDS, from the corpus in fuzz/corpus/X; T=X runs one. What is found on the way stays in
# $(B)/fuzz/found/X. make fuzz-merge puts into the corpus what reaches more, and leaves out what reaches nothing.

FUZZ_SECONDS ?= 60
FUZZ_CC ?= clang
FUZZ_NAMES := $(patsubst fuzz/fuzz-%.c,%,$(wildcard fuzz/fuzz-*.c))
FUZZ_TARGETS := $(FUZZ_NAMES:%=$(B)/fuzz/fuzz-%)
FUZZ_OPTIONS := -timeout=10 -rss_limit_mb=1024 -close_fd_mask=2 -print_final_stats=1
FUZZ_CFLAGS = -std=gnu17 -D_GNU_SOURCE -DNARTHEX_VERSION='"$(VERSION)"' -DPKGLIBDIR='"$(PKGLIBDIR)"' -I. -Icommon -I$(B)/include $(WARNINGS) \
	-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined

# the parsers and what they need, instrumented
FUZZ_SRC := $(COMMON_SRC) $(wildcard host-tools/config/config*.c) \
	$(foreach m,asciicast exec-answers trust,host-tools/client/$(m).c) $(foreach m,launcher-status name nearest unit,host-tools/$(m).c) \
	$(foreach m,control guest-user hand-over notify stream,host-tools/launch/$(m).c) host-tools/network/netlink.c \
	$(foreach m,account exec-request exec-user,agent/$(m).c) \
	$(foreach m,bytes history screen sieve,host-tools/keep/$(m).c) host-tools/ctl/json.c host-tools/unpack/unpack.c fuzz/fuzz.c
FUZZ_OBJ := $(FUZZ_SRC:%.c=$(B)/fuzz/obj/%.o)
FUZZ_LIBS := -larchive -levent_core -lmnl

$(FUZZ_OBJ): $(B)/fuzz/obj/%.o: %.c fuzz/fuzz.mk | $(B)/include/seccomp-names.h
	@mkdir -p $(@D)
	$(call say,FUZZ,$<)
	$(Q)$(FUZZ_CC) $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link -MMD -MP -c -o $@ $<
-include $(FUZZ_OBJ:.o=.d)

$(B)/fuzz/parsers.a: $(FUZZ_OBJ)
	$(Q)rm -f $@; $(AR) rcs $@ $^

$(FUZZ_TARGETS): $(B)/fuzz/fuzz-%: fuzz/fuzz-%.c fuzz/fuzz.h $(B)/fuzz/parsers.a
	$(call say,FUZZ,$@)
	$(Q)$(FUZZ_CC) $(FUZZ_CFLAGS) -fsanitize=fuzzer -o $@ $< $(B)/fuzz/parsers.a $(FUZZ_LIBS) $(FUZZ_MORE)

# libvterm gets its memory from the target
$(B)/fuzz/fuzz-screen: FUZZ_MORE = -Wl,--wrap=vterm_new -l:libvterm.a

.PHONY: fuzz fuzz-targets fuzz-merge $(FUZZ_NAMES:%=fuzz-%)
fuzz: $(patsubst %,fuzz-%,$(or $(T),$(FUZZ_NAMES)))
fuzz-targets: $(FUZZ_TARGETS)

$(FUZZ_NAMES:%=fuzz-%): fuzz-%: $(B)/fuzz/fuzz-%
	@mkdir -p $(B)/fuzz/found/$*
	$(Q)$< -max_total_time=$(FUZZ_SECONDS) $(FUZZ_OPTIONS) -artifact_prefix=$(abspath $(B))/fuzz/ $(B)/fuzz/found/$* fuzz/corpus/$*

fuzz-merge: $(FUZZ_TARGETS)
	$(Q)for name in $(or $(T),$(FUZZ_NAMES)); do B='$(B)' fuzz/merge $$name || exit 1; done
