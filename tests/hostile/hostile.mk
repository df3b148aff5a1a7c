# SPDX-License-Identifier: MIT
# Programs of the hostile suite. Static: they run in any guest. Whoever builds the tests' client gets them, too.

HOSTILE_TOOLS := $(addprefix $(B)/tests/,agent deny peer swap)

$(HOSTILE_TOOLS): $(B)/tests/%: tests/hostile/%.c common/syscalls.h $(FLAGS_STAMP)
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) -std=gnu17 -D_GNU_SOURCE -Icommon $(WARNINGS) -O2 -g -static -o $@ $<

$(B)/tests/knock: | $(HOSTILE_TOOLS)
