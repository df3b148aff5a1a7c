# SPDX-License-Identifier: MIT
# $(B)/guest/: what the launcher brings into a guest at GUEST_DIR. The agent there is linked from the same
# objects, but runs with the loader and the libraries beside it: the guest's libc may be any, or none.
# DT_RPATH, not DT_RUNPATH: it counts for the libraries' own libraries too, and before LD_LIBRARY_PATH.

GUEST_DIR := /run/host/narthex
GUEST_UNITS := $(wildcard systemd/guest/*)

# Files are replaced in place, not the directory: a guest that runs from a build tree has it mounted.
$(B)/guest/.complete: $(B)/narthex-agent $(B)/narthex-init $(GUEST_UNITS) agent/bundle.mk
	$(call say,GUEST,$(@D))
	$(Q)mkdir -p $(@D)/lib $(@D)/units $(@D)/doors && rm -f $@ $(@D)/lib/* $(@D)/units/*
	$(Q)ldd $(B)/narthex-agent | awk '$$2 == "=>" { print $$3 } $$1 ~ /^\// { print $$1 }' | \
		xargs -I{} cp -L --preserve=mode,timestamps {} $(@D)/lib/
	$(Q)ld=$$(ldd $(B)/narthex-agent | awk '$$1 ~ /^\// { sub(".*/", "", $$1); print $$1 }') && \
		$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $(@D)/.narthex-agent $(call obj,agent/main.c) \
		$(B)/libagent.a $(B)/libcommon.a $(AGENT_LIBS) \
		-Wl,--dynamic-linker=$(GUEST_DIR)/lib/$$ld -Wl,-rpath,$(GUEST_DIR)/lib -Wl,--disable-new-dtags
	$(Q)mv $(@D)/.narthex-agent $(@D)/narthex-agent
	$(Q)for f in $(GUEST_UNITS); do sed 's|@PKGLIBDIR@|$(GUEST_DIR)|g' $$f \
		>$(@D)/units/$$(basename $$f .in) || exit 1; done
	$(Q)cp --remove-destination $(B)/narthex-init $(@D)/
	$(Q)echo '$(VERSION)' >$(@D)/version
	$(Q)touch $@
