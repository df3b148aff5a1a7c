# SPDX-License-Identifier: MIT
# A host's configuration of nix/host.nix and what stands in for NixOS.
{ lib, modules }:
let
  # as far as types.package looks
  derivation' = name: {
    type = "derivation";
    inherit name;
    outPath = "/nix/store/00000000000000000000000000000000-${name}";
  };
in
(lib.evalModules {
  modules = [
    ./standin/nixos/modules/standin.nix
    ../../nix/host.nix
    {
      _module.args.pkgs = {
        path = ./standin;
        stdenv.hostPlatform.system = "x86_64-linux";
        narthex = derivation' "narthex";
        writeText = name: text: "/nix/store/00000000000000000000000000000000-${name}";
        linkFarm = name: _: derivation' name;
        runCommand = name: _: _: derivation' name;
        runtimeShell = "/bin/sh";
      };
    }
  ]
  ++ modules;
}).config
