# SPDX-License-Identifier: MIT
# The system call filter: seccomp-table.c is compiled to BPF by a program that runs on the build
# machine, so the launcher neither links libseccomp nor pays for it at each start. Only for a container that
# changes the filter it starts a helper that does the same.

SECCOMP_SRC := $(addprefix host-tools/seccomp/seccomp-,filter.c table.c sets.c)
SECCOMP_DEPS := $(SECCOMP_SRC) $(wildcard host-tools/seccomp/*.h) $(FLAGS_STAMP)

$(B)/seccomp-compile: host-tools/seccomp/seccomp-compile.c $(SECCOMP_DEPS) | $(B)/.deps
	$(call say,HOST,$@)
	$(Q)$(CC) -std=gnu17 -D_GNU_SOURCE $(WARNINGS) -O1 -g -o $@ $(filter %.c,$^) -lseccomp

$(B)/include/seccomp-filters.h: $(B)/seccomp-compile
	@mkdir -p $(@D)
	$(call say,GEN,$@)
	$(Q)$(B)/seccomp-compile >$@.new && mv $@.new $@

$(B)/include/seccomp-names.h: $(B)/seccomp-compile
	@mkdir -p $(@D)
	$(call say,GEN,$@)
	$(Q)$(B)/seccomp-compile --names >$@.new && mv $@.new $@

$(B)/narthex-seccomp: host-tools/seccomp/narthex-seccomp.c $(SECCOMP_DEPS) | $(B)/.deps
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $(filter %.c,$^) -lseccomp

$(call obj,host-tools/launch/seccomp.c) $(B)/musl/host-tools/launch/seccomp.o: $(B)/include/seccomp-filters.h
$(call obj,host-tools/config/config-syscalls.c) $(B)/musl/host-tools/config/config-syscalls.o: $(B)/include/seccomp-names.h
