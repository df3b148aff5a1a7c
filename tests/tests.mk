# SPDX-License-Identifier: MIT
# Every tests/unit/test-X.c becomes $(B)/tests/test-X. It is linked with the library that has module X.

UNIT_NAMES := $(patsubst tests/unit/test-%.c,%,$(wildcard tests/unit/test-*.c))
UNIT_TESTS := $(UNIT_NAMES:%=$(B)/tests/test-%)
unit_of = $(foreach n,$(UNIT_NAMES),$(if $(wildcard $(1)/$(n).c),$(B)/tests/test-$(n)))

UNIT_AGENT := $(call unit_of,agent)
UNIT_COMMON := $(filter-out $(UNIT_AGENT),$(call unit_of,common))
UNIT_CTL := $(filter-out $(UNIT_AGENT) $(UNIT_COMMON),$(call unit_of,host-tools/ctl))
UNIT_NETWORK := $(foreach n,$(UNIT_NAMES),$(if $(filter %/$(n).c,$(NETWORK_SRC)),$(B)/tests/test-$(n)))
UNIT_KEEP := $(call unit_of,host-tools/keep)
UNIT_HOST := $(filter-out $(UNIT_AGENT) $(UNIT_COMMON) $(UNIT_CTL) $(UNIT_NETWORK) $(UNIT_KEEP),$(UNIT_TESTS))

$(UNIT_AGENT): $(B)/libagent.a
$(UNIT_AGENT): TEST_LIBS = $(AGENT_LIBS)
$(UNIT_HOST): $(B)/liblaunch.a $(B)/libhost.a
$(UNIT_HOST): TEST_LIBS = $(LAUNCH_LIBS)
$(UNIT_NETWORK): $(B)/libnetwork.a $(B)/libhost.a
$(UNIT_NETWORK): TEST_LIBS = $(NETWORK_LIBS)
$(UNIT_KEEP): $(B)/libkeep.a $(B)/libhost.a
$(UNIT_KEEP): TEST_LIBS = $(KEEP_LIBS)
$(UNIT_CTL): $(B)/libctl.a $(B)/libnetwork.a $(B)/libhost.a
$(UNIT_CTL): TEST_LIBS = $(CTL_LIBS)

UNIT_OBJ := $(UNIT_NAMES:%=$(B)/obj/tests/unit/test-%.o)
$(UNIT_OBJ): $(FLAGS_STAMP)
$(UNIT_OBJ): ALL_CFLAGS += -I. -Wno-unused-parameter
-include $(UNIT_OBJ:.o=.d)

# the order matters to the linker: the test, its module's library, what all of them use
$(UNIT_TESTS): $(B)/tests/%: $(B)/obj/tests/unit/%.o $(B)/libcommon.a
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $< $(filter %/libagent.a %/libctl.a %/libkeep.a,$^) \
		$(filter %/liblaunch.a %/libnetwork.a,$^) $(filter %/libhost.a,$^) $(filter %/libcommon.a,$^) $(TEST_LIBS) -lcmocka

# what the state of a container is cleaned up with lies beside the program that asks for it
STATE_TESTS := $(filter %/test-state %/test-cgroup,$(UNIT_TESTS))
$(STATE_TESTS): | $(B)/tests/narthex-network
$(B)/tests/narthex-network: $(B)/narthex-network
	@mkdir -p $(@D)
	$(Q)ln -sf ../narthex-network $@

.PHONY: unit-tests unit e2e e2e-programs check check-slow check-nix check-san demo bench probe torture soak
unit-tests: $(UNIT_TESTS)

# T=name1 T=name2: only these, as in make unit T=escape
unit: all unit-tests
	$(Q)B='$(B)' tests/run unit $(T)

# the Nix code with a lib of nixpkgs, as nix-community/nixpkgs.lib has it: make check-nix NIXPKGS_LIB=DIR
check-nix: all
	$(Q)[ -n '$(NIXPKGS_LIB)' ] || { echo 'check-nix: set NIXPKGS_LIB to a directory with lib/ of nixpkgs in it' >&2; exit 2; }
	$(Q)B='$(B)' NIXPKGS_LIB='$(NIXPKGS_LIB)' tests/run nix

# what the end-to-end tests bring along
E2E_PROGRAMS := $(B)/tests/knock $(B)/tests/probe $(B)/tests/fault $(B)/tests/torture $(B)/tests/torture-payload
e2e-programs: $(E2E_PROGRAMS)

e2e: all e2e-programs
	$(Q)B='$(B)' tests/run e2e $(T)

# on a machine that is held up at random: what races fails here sooner than in CI. make check-slow T=reload
check-slow: all e2e-programs
	$(Q)B='$(B)' CI=1 NARTHEX_DISTURB=1 NARTHEX_TEST_DEADLINE=900 NARTHEX_E2E_DEADLINE=10800 tests/run e2e $(T)

check:
	$(Q)tools/install-deps build test fuzz
	$(Q)$(MAKE) all unit-tests fuzz-targets e2e-programs
	$(Q)B='$(B)' tests/run

# the same suite against agent and launcher with sanitizers
check-san:
	$(Q)tools/install-deps build test
	$(Q)$(MAKE) B=$(B)-san SAN=address,undefined all unit-tests e2e-programs
	$(Q)B='$(B)-san' SAN=address,undefined NARTHEX_E2E_DEADLINE=7200 NARTHEX_TEST_DEADLINE=900 tests/run

# SECONDS= for each of its modes, SEED= of one that failed; with SAN=address,undefined B=build-san a build with sanitizers
TORTURE_SECONDS = $(if $(filter command line,$(origin SECONDS)),$(SECONDS),60)
torture: all e2e-programs
	$(Q)B='$(B)' SAN='$(SAN)' NARTHEX_TORTURE_SECONDS='$(TORTURE_SECONDS)' NARTHEX_TORTURE_SEED='$(SEED)' \
		NARTHEX_TEST_DEADLINE=$$(($(TORTURE_SECONDS) + 300)) NARTHEX_E2E_DEADLINE=$$(($(TORTURE_SECONDS) * 4 + 900)) \
		tests/run e2e torture

# half an hour of mixed work: what grows? SECONDS= for another time
SOAK_SECONDS = $(if $(filter command line,$(origin SECONDS)),$(SECONDS),1800)
soak:
	$(Q)tools/install-deps build test bench
	$(Q)$(MAKE) all e2e-programs
	$(Q)B='$(B)' SOAK_SECONDS='$(SOAK_SECONDS)' tests/torture/run-soak

demo:
	$(Q)tools/demo

bench:
	$(Q)tools/install-deps build test bench
	$(Q)$(MAKE) all $(addprefix $(B)/bench/,pair running ways payload crowd echoer) $(B)/tests/knock
	$(Q)B='$(B)' bench/run $(T)

# the tests' own client
$(B)/tests/knock: $(B)/obj/tests/e2e/knock.o $(B)/libcommon.a
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(link)
$(B)/obj/tests/e2e/knock.o: $(FLAGS_STAMP)

# one system call of a start or of an agent fails; every one: make faults, or every 10th: make faults STEP=10
$(B)/tests/fault: tests/e2e/fault.c $(FLAGS_STAMP)
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) -std=gnu17 -D_GNU_SOURCE $(WARNINGS) -O2 -o $@ $< -lseccomp

.PHONY: faults
faults:
	$(Q)tools/install-deps build test
	$(Q)$(MAKE) all $(B)/tests/fault
	$(Q)B='$(B)' tests/faults $(STEP)

# what root can do in a container; static, so that it runs in any tree
PROBE_SRC := $(wildcard tests/hostile/probe*.c)
$(B)/tests/probe: $(PROBE_SRC) tests/hostile/probe.h $(FLAGS_STAMP)
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) -std=gnu17 -D_GNU_SOURCE $(WARNINGS) -O2 -static -o $@ $(PROBE_SRC)

# the same of the peers, too: PEERS='podman lxc' for those that are on this machine; UPDATE=1 makes the lists anew
probe:
	$(Q)tools/install-deps build test
	$(Q)$(MAKE) all $(B)/tests/probe
	$(Q)B='$(B)' tests/hostile/compare $(if $(UPDATE),--update) $(PEERS)

# payloads: as cheap to start as a program can be, so with musl where it is
$(B)/bench/running $(B)/bench/payload $(B)/bench/echoer: $(B)/bench/%: bench/%.c
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(or $(MUSL),$(CC)) -std=gnu17 -D_GNU_SOURCE $(WARNINGS) -O2 -static -o $@ $<

WAYS_SRC := $(wildcard bench/ways*.c)
$(B)/bench/ways: $(WAYS_SRC) bench/ways.h bench/turns.h $(FLAGS_STAMP)
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $(WAYS_SRC) -lutil

$(B)/bench/pair: bench/turns.h
$(B)/bench/%: bench/%.c $(FLAGS_STAMP)
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $<
