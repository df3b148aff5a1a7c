# SPDX-License-Identifier: MIT
# make fuzz: every fuzz/fuzz-X.c with clang's libFuzzer and sanitizers, FUZZ_SECONDS each, from the corpus in
# fuzz/corpus/X. What is found on the way stays in $(B)/fuzz; T=X runs one target.

FUZZ_SECONDS ?= 60
FUZZ_CC ?= clang
FUZZ_NAMES := $(patsubst fuzz/fuzz-%.c,%,$(wildcard fuzz/fuzz-*.c))
FUZZ_CFLAGS = -std=gnu17 -D_GNU_SOURCE -Icommon $(WARNINGS) -O1 -g -fno-omit-frame-pointer \
	-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined

.PHONY: fuzz
fuzz: $(patsubst %,fuzz-%,$(or $(T),$(FUZZ_NAMES)))

# the parsers of common/ are the targets; they are built into each of them, instrumented
$(FUZZ_NAMES:%=$(B)/fuzz/fuzz-%): $(B)/fuzz/fuzz-%: fuzz/fuzz-%.c $(COMMON_SRC) $(wildcard common/*.h)
	@mkdir -p $(@D)
	$(call say,FUZZ,$@)
	$(Q)$(FUZZ_CC) $(FUZZ_CFLAGS) -o $@ $< $(COMMON_SRC)

.PHONY: $(FUZZ_NAMES:%=fuzz-%)
$(FUZZ_NAMES:%=fuzz-%): fuzz-%: $(B)/fuzz/fuzz-%
	@mkdir -p $(B)/fuzz/$*
	$(Q)$< -max_total_time=$(FUZZ_SECONDS) -max_len=131073 -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 \
		-artifact_prefix=$(B)/fuzz/ $(B)/fuzz/$* fuzz/corpus/$*
