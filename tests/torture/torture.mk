# SPDX-License-Identifier: MIT
# The torture's two ends: a driver for the host, and a static payload that runs in any guest.

TORTURE_SRC := tests/torture/torture.c tests/torture/session.c

$(B)/tests/torture: $(TORTURE_SRC) tests/torture/torture.h tests/torture/stream.h $(FLAGS_STAMP)
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $(TORTURE_SRC) -lutil

$(B)/tests/torture-payload: tests/torture/payload.c tests/torture/stream.h $(FLAGS_STAMP)
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) -std=gnu17 -D_GNU_SOURCE $(WARNINGS) -O2 -static -o $@ $<
