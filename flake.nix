# SPDX-License-Identifier: MIT
{
  description = "Lightweight containers that you can walk into";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    let
      systems = [
        "x86_64-linux"
        "aarch64-linux"
      ];
      forAll = f: nixpkgs.lib.genAttrs systems (system: f nixpkgs.legacyPackages.${system});
    in
    {
      overlays.default = final: _: { narthex = final.callPackage ./nix/package.nix { }; };

      packages = forAll (pkgs: rec {
        narthex = pkgs.callPackage ./nix/package.nix { };
        default = narthex;
      });

      nixosModules = {
        default = ./nix/host.nix;
        host = ./nix/host.nix;
        guest = ./nix/guest.nix;
      };

      lib = {
        types = import ./nix/types.nix { inherit (nixpkgs) lib; };
        compat = import ./nix/compat.nix { inherit (nixpkgs) lib; };
      };

      checks = forAll (pkgs: {
        inherit (self.packages.${pkgs.system}) narthex;
        # as `make check-nix`, with this nixpkgs' lib
        modules =
          assert import ./tests/nix/types.nix { inherit (nixpkgs) lib; } == [ ];
          assert
            import ./tests/nix/modules.nix {
              inherit (nixpkgs) lib;
              withFlake = false;
            } == [ ];
          pkgs.writeText "narthex-modules" "ok";
      });
    };
}
