# SPDX-License-Identifier: MIT
# The text of 100 containers, each with a system of its own: how long it is.
{ lib }:
let
  config = import ./evaluate.nix {
    inherit lib;
    modules = [
      {
        systemd.containers = lib.listToAttrs (
          map (n: {
            name = "c${toString n}";
            value = {
              privateNetwork = true;
              hostAddress = "10.231.${toString n}.1";
              localAddress = "10.231.${toString n}.2";
              config = {
                services.openssh.enable = true;
                networking.useDHCP = n > 50;
              };
            };
          }) (lib.range 1 100)
        );
      }
    ];
  };
in
assert config.assertions == [ ];
builtins.length (lib.unique (lib.mapAttrsToList (_: file: file.text) config.environment.etc))
