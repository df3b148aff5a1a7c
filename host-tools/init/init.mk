# SPDX-License-Identifier: MIT
# narthex-init runs in any guest, whatever its libc: static, and without sanitizers, which need
# shared libraries.

$(B)/narthex-init: host-tools/init/narthex-init.c $(FLAGS_STAMP) | $(B)/.deps
	$(call say,LINK,$@)
	$(Q)$(CC) $(filter-out $(SANITIZE),$(ALL_CFLAGS)) $(filter-out -pie $(SANITIZE),$(ALL_LDFLAGS)) \
		-static-pie -o $@ $<
