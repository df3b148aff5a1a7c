# SPDX-License-Identifier: MIT
# make, make check, make demo, make bench, make fuzz, make lint, make format, make install, make dist
# V=1 shows the commands; WERROR=1 and SAN=address,undefined are for developers.

VERSION := 0.1.0

PREFIX ?= /usr
DESTDIR ?=
BINDIR ?= $(PREFIX)/bin
LIBDIR ?= $(PREFIX)/lib
PKGLIBDIR ?= $(LIBDIR)/narthex
UNITDIR ?= $(LIBDIR)/systemd/system
GENERATORDIR ?= $(LIBDIR)/systemd/system-generators
TMPFILESDIR ?= $(LIBDIR)/tmpfiles.d
MANDIR ?= $(PREFIX)/share/man
DOCDIR ?= $(PREFIX)/share/doc/narthex
BASHCOMPDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHCOMPDIR ?= $(PREFIX)/share/zsh/site-functions

CC ?= gcc
INSTALL ?= install
B := build

CFLAGS ?= -O2 -g
WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wstrict-prototypes \
	-Wmissing-prototypes -Wformat=2 -Wvla
HARDENING := -fPIE -fstack-protector-strong -fcf-protection
ifeq ($(SAN),)
HARDENING += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
else
SANITIZE := -fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=undefined
endif
ifeq ($(WERROR),1)
WARNINGS += -Werror
endif
ALL_CFLAGS = -std=gnu17 -D_GNU_SOURCE -DNARTHEX_VERSION='"$(VERSION)"' -DPKGLIBDIR='"$(PKGLIBDIR)"' \
	-Icommon -I$(B)/include $(WARNINGS) $(HARDENING) $(SANITIZE) $(CFLAGS)
ALL_LDFLAGS = -pie -Wl,-z,relro,-z,now -Wl,--as-needed $(SANITIZE) $(LDFLAGS)

ifneq ($(V),1)
Q := @
say = @printf '  %-5s %s\n' $(1) $(2)
endif

# one list a binary; a binary's main file is not in the library that its tests link
COMMON_SRC := $(wildcard common/*.c)
AGENT_SRC := $(filter-out agent/main.c,$(wildcard agent/*.c))
HOST_SRC := $(filter-out host-tools/narthex.c host-tools/cmd-%.c host-tools/generator.c host-tools/run-in-netns.c,$(wildcard $(addprefix host-tools/,*.c config/*.c client/*.c)))
LAUNCH_SRC := $(filter-out host-tools/launch/main.c,$(wildcard host-tools/launch/*.c))
NETWORK_SRC := $(filter-out host-tools/network/main.c,$(wildcard host-tools/network/*.c))
NARTHEX_SRC := host-tools/narthex.c $(wildcard host-tools/cmd-*.c)
CTL_SRC := $(filter-out host-tools/ctl/main.c,$(wildcard host-tools/ctl/*.c))

obj = $(patsubst %.c,$(B)/obj/%.o,$(1))

BINARIES := $(B)/narthex-agent $(B)/narthex-launch $(B)/narthex-network $(B)/narthex $(B)/narthex-ctl $(B)/narthex-unpack $(B)/narthex-keep $(B)/narthex-seccomp $(B)/narthex-generator $(B)/run-in-netns

.PHONY: all
all: $(BINARIES) $(B)/guest/.complete $(B)/units/.complete

# --- objects and libraries -------------------------------------------------------------------

$(B)/obj/%.o: %.c | $(B)/.deps
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# what a checkout was last built with: another set of flags rebuilds everything
FLAGS_STAMP := $(B)/.flags
$(shell mkdir -p $(B); printf '%s' '$(subst ','\'',$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS))' >$(B)/.flags.new; \
	cmp -s $(B)/.flags.new $(FLAGS_STAMP) || cp $(B)/.flags.new $(FLAGS_STAMP); rm -f $(B)/.flags.new)

ALL_OBJ := $(call obj,$(COMMON_SRC) $(AGENT_SRC) $(HOST_SRC) $(LAUNCH_SRC) $(NETWORK_SRC) $(NARTHEX_SRC) $(CTL_SRC) agent/main.c \
	host-tools/launch/main.c host-tools/network/main.c host-tools/ctl/main.c host-tools/generator.c host-tools/run-in-netns.c)
$(ALL_OBJ): $(FLAGS_STAMP)
-include $(ALL_OBJ:.o=.d)

$(B)/libcommon.a: $(call obj,$(COMMON_SRC))
$(B)/libagent.a: $(call obj,$(AGENT_SRC))
$(B)/libhost.a: $(call obj,$(HOST_SRC))
$(B)/liblaunch.a: $(call obj,$(LAUNCH_SRC))
$(B)/libnetwork.a: $(call obj,$(NETWORK_SRC))
$(B)/libctl.a: $(call obj,$(CTL_SRC))
$(B)/lib%.a:
	$(call say,AR,$@)
	$(Q)rm -f $@; $(AR) rcs $@ $(filter %.o,$^)

link = $(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $(filter %.o %.a,$^)

# a start of narthex or of a container would spend a sixth of its time in the dynamic loader; STATIC=no for systems that have no
# static libraries
link_static = $(Q)$(CC) $(ALL_CFLAGS) $(if $(SAN)$(filter no,$(STATIC)),$(ALL_LDFLAGS),$(ALL_LDFLAGS:-pie=-static-pie)) -o $@ $(filter %.o %.a,$^)

AGENT_LIBS := -lsystemd -levent_core -lutil
LAUNCH_LIBS := -levent_core
NETWORK_LIBS := -lmnl
CTL_LIBS := -lsystemd $(NETWORK_LIBS)

$(B)/narthex-agent: $(call obj,agent/main.c) $(B)/libagent.a $(B)/libcommon.a
	$(call say,LINK,$@)
	$(link) $(AGENT_LIBS)

# the launcher's helper for what needs libraries
$(B)/narthex-network: $(call obj,host-tools/network/main.c) $(B)/libnetwork.a $(B)/libhost.a $(B)/libcommon.a
	$(call say,LINK,$@)
	$(link) $(NETWORK_LIBS)

include host-tools/musl/musl.mk

LAUNCH_OBJ ?= $(call obj,host-tools/launch/main.c) $(B)/liblaunch.a $(B)/libhost.a $(B)/libcommon.a
link_launch ?= $(link_static) $(if $(SAN)$(filter no,$(STATIC)),,-Wl,-u,getaddrinfo) $(LAUNCH_LIBS)

$(B)/narthex-launch: $(LAUNCH_OBJ)
	$(call say,LINK,$@)
	$(link_launch)

NARTHEX_OBJ ?= $(call obj,$(NARTHEX_SRC)) $(B)/libhost.a $(B)/libcommon.a
link_narthex ?= $(link_static)

$(B)/narthex: $(NARTHEX_OBJ)
	$(call say,LINK,$@)
	$(link_narthex)

# the verbs that need more than libc; narthex executes it
$(B)/narthex-ctl: $(call obj,host-tools/ctl/main.c) $(B)/libctl.a $(B)/libnetwork.a $(B)/libhost.a $(B)/libcommon.a
	$(call say,LINK,$@)
	$(link) $(CTL_LIBS)

$(B)/narthex-generator: $(call obj,host-tools/generator.c) $(B)/libhost.a $(B)/libcommon.a
	$(call say,LINK,$@)
	$(link)

$(B)/run-in-netns: $(call obj,host-tools/run-in-netns.c) $(B)/libcommon.a
	$(call say,LINK,$@)
	$(link)

include systemd/units.mk
include agent/bundle.mk
include host-tools/seccomp/seccomp.mk
include host-tools/init/init.mk
include host-tools/unpack/unpack.mk
include host-tools/keep/keep.mk
include tests/tests.mk
include tests/hostile/hostile.mk
include tests/torture/torture.mk
include fuzz/fuzz.mk

# --- build dependencies ----------------------------------------------------------------------

$(B)/.deps: tools/check-deps
	@mkdir -p $(@D)
	@CC='$(CC)' tools/check-deps
	@touch $@

# --- everything else -------------------------------------------------------------------------

include tools/install.mk

.PHONY: clean
clean:
	rm -rf $(B)
