# SPDX-License-Identifier: MIT
# narthex-unpack is a program of its own: libarchive and its dependencies are loaded only for it.

$(B)/narthex-unpack: $(call obj,host-tools/unpack/narthex-unpack.c) $(B)/libcommon.a
	$(call say,LINK,$@)
	$(link) -larchive -lcap
$(call obj,host-tools/unpack/narthex-unpack.c): $(FLAGS_STAMP)
-include $(B)/obj/host-tools/unpack/narthex-unpack.d
