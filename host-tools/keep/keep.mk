# SPDX-License-Identifier: MIT
# narthex-keep is a program of its own: only it links libvterm, and it parses what guests write with nothing else at hand.

KEEP_SRC := $(filter-out host-tools/keep/main.c,$(wildcard host-tools/keep/*.c))
KEEP_OBJ := $(call obj,$(KEEP_SRC) host-tools/keep/main.c)
# a build with sanitizers is not static, and the test host has no libvterm
KEEP_LIBS := $(if $(SAN),-l:libvterm.a,-lvterm) -lseccomp

$(B)/libkeep.a: $(call obj,$(KEEP_SRC))
$(B)/narthex-keep: $(call obj,host-tools/keep/main.c) $(B)/libkeep.a $(B)/libhost.a $(B)/libcommon.a
	$(call say,LINK,$@)
	$(link_static) $(KEEP_LIBS)
$(KEEP_OBJ): $(FLAGS_STAMP)
-include $(KEEP_OBJ:.o=.d)
