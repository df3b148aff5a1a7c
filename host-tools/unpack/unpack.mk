# SPDX-License-Identifier: MIT
# narthex-unpack is a program of its own: libarchive and its dependencies are loaded only for it.

UNPACK_OBJ := $(call obj,$(wildcard host-tools/unpack/*.c))

$(B)/narthex-unpack: $(UNPACK_OBJ) $(B)/libcommon.a
	$(call say,LINK,$@)
	$(link) -larchive -lcap
$(UNPACK_OBJ): $(FLAGS_STAMP)
-include $(UNPACK_OBJ:.o=.d)
