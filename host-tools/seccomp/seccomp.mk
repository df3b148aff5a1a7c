# SPDX-License-Identifier: MIT
# The system call filter: seccomp-table.c is compiled to BPF by a program that runs on the build
# machine only, so the launcher neither links libseccomp nor pays for it at each start.

SECCOMP_SRC := host-tools/seccomp/seccomp-compile.c host-tools/seccomp/seccomp-table.c

$(B)/seccomp-compile: $(SECCOMP_SRC) host-tools/seccomp/seccomp-table.h $(FLAGS_STAMP) | $(B)/.deps
	$(call say,HOST,$@)
	$(Q)$(CC) -std=gnu17 -D_GNU_SOURCE $(WARNINGS) -O1 -g -o $@ $(SECCOMP_SRC) -lseccomp

$(B)/include/seccomp-filters.h: $(B)/seccomp-compile
	@mkdir -p $(@D)
	$(call say,GEN,$@)
	$(Q)$(B)/seccomp-compile >$@.new && mv $@.new $@

$(call obj,host-tools/launch/seccomp.c): $(B)/include/seccomp-filters.h
