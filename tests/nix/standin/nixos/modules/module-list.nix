# SPDX-License-Identifier: MIT
# In the place of NixOS, which is not here: those of its options that our modules set, with the types they have there.
[ ./standin.nix ]
