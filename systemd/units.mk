# SPDX-License-Identifier: MIT
# $(B)/units/: the units of guest and host as `make install` puts them into UNITDIR. *.in get the paths.

UNIT_FILES := $(wildcard systemd/guest/* systemd/host/*)
UNIT_SUBST = -e 's|@PKGLIBDIR@|$(PKGLIBDIR)|g' -e 's|@BINDIR@|$(BINDIR)|g'

$(B)/units/.complete: $(UNIT_FILES) systemd/units.mk $(FLAGS_STAMP)
	@rm -rf $(@D) && mkdir -p $(@D)
	$(call say,UNITS,$(@D))
	$(Q)for f in $(UNIT_FILES); do case $$f in \
		*.in) sed $(UNIT_SUBST) $$f >$(@D)/$$(basename $$f .in) || exit 1 ;; \
		*) cp $$f $(@D)/ || exit 1 ;; esac; done
	$(Q)touch $@
