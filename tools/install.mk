# SPDX-License-Identifier: MIT
# install, dist, lint, format. Nothing is enabled by installing: the guest's units are there for a
# host that is itself a guest.

D = $(DESTDIR)
say_install = $(call say,INST,$(1))
# $(call install_glob,MODE,DIRECTORY,GLOB…): what there is of it
install_glob = $(Q)for f in $(wildcard $(3)); do $(INSTALL) -D -m $(1) -t '$(D)$(2)' "$$f" || exit 1; done

.PHONY: install
install: all
	$(call say_install,$(D)$(BINDIR))
	$(Q)$(INSTALL) -d '$(D)$(BINDIR)' '$(D)$(PKGLIBDIR)' '$(D)$(GENERATORDIR)'
	$(Q)$(INSTALL) -m 755 $(B)/narthex $(B)/run-in-netns '$(D)$(BINDIR)'
	$(call say_install,$(D)$(PKGLIBDIR))
	$(Q)$(INSTALL) -m 755 $(B)/narthex-launch $(B)/narthex-network $(B)/narthex-ctl $(B)/narthex-unpack $(B)/narthex-keep $(B)/narthex-seccomp $(B)/narthex-agent '$(D)$(PKGLIBDIR)'
	$(Q)$(INSTALL) -m 755 $(B)/narthex-generator '$(D)$(GENERATORDIR)'
	@# what the launcher brings into guests: as it was built, but nothing of an older version
	$(Q)rm -rf '$(D)$(PKGLIBDIR)/guest'
	$(Q)cp -R --preserve=mode,links --no-preserve=ownership $(B)/guest '$(D)$(PKGLIBDIR)/guest'
	$(Q)rm -f '$(D)$(PKGLIBDIR)/guest/.complete'
	$(Q)chmod -R u=rwX,go=rX '$(D)$(PKGLIBDIR)/guest'
	$(call say_install,$(D)$(UNITDIR))
	$(call install_glob,644,$(UNITDIR),$(foreach t,service socket target slice timer path,$(B)/units/*.$(t)))
	$(call install_glob,644,$(TMPFILESDIR),$(B)/units/*.conf)
	$(call install_glob,644,$(LIBDIR)/systemd/system-preset,$(B)/units/*.preset)
	$(call say_install,$(D)$(MANDIR))
	$(call install_glob,644,$(MANDIR)/man1,man/*.1)
	$(call install_glob,644,$(MANDIR)/man5,man/*.5)
	$(call install_glob,644,$(MANDIR)/man7,man/*.7)
	$(call install_glob,644,$(MANDIR)/man8,man/*.8)
	$(call install_glob,644,$(BASHCOMPDIR),completion/bash/*)
	$(call install_glob,644,$(ZSHCOMPDIR),completion/zsh/*)
	$(call install_glob,644,$(DOCDIR),COPYING README.md HACKING.md NEWS.md SECURITY.md)
	$(call install_glob,644,$(DOCDIR)/docs,docs/*.md)
	$(call install_glob,644,$(DOCDIR)/docs/bench,docs/bench/*.svg)

DIST := narthex-$(VERSION)

.PHONY: dist
dist:
	@mkdir -p $(B)
	$(Q)git archive --format=tar.gz --prefix=$(DIST)/ -o $(B)/$(DIST).tar.gz HEAD
	@echo $(B)/$(DIST).tar.gz

# what the linters have to know of the build
LINT_FLAGS = $(filter -std=% -D% -I%,$(ALL_CFLAGS)) -I.

.PHONY: lint format
# T=clang-tidy T=shellcheck: only these
lint: all
	$(Q)tools/install-deps lint
	$(Q)B='$(B)' CC='$(CC)' MAKE='$(MAKE)' LINT_FLAGS='$(subst ','\'',$(LINT_FLAGS))' tools/lint $(T)

format:
	$(Q)git ls-files -z '*.c' '*.h' | xargs -0 clang-format -i
