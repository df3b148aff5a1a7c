# SPDX-License-Identifier: MIT
# The text of one golden file, in the store: nix-instantiate prints where.
{ name }:
builtins.toFile "${name}.conf" (
  (import ../../nix/render.nix).conf name (import (./golden + "/${name}.nix"))
)
