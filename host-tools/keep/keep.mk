# SPDX-License-Identifier: MIT
# narthex-keep is a program of its own: only it links libvterm, and it parses what guests write with nothing else at hand.

KEEP_SRC := $(filter-out host-tools/keep/main.c,$(wildcard host-tools/keep/*.c))
KEEP_OBJ := $(call obj,$(KEEP_SRC) host-tools/keep/main.c)
KEEP_LIBS := -lvterm -lseccomp

$(B)/libkeep.a: $(call obj,$(KEEP_SRC))
$(B)/narthex-keep: $(call obj,host-tools/keep/main.c) $(B)/libkeep.a $(B)/libhost.a $(B)/libcommon.a
	$(call say,LINK,$@)
	$(link_static) $(KEEP_LIBS)
$(KEEP_OBJ): $(FLAGS_STAMP)
-include $(KEEP_OBJ:.o=.d)
