# SPDX-License-Identifier: MIT

# A set of NixOS's own containers.<name>, as it is, as one for systemd.containers: what has no meaning there is left out.
#
#   systemd.containers = import ./compat.nix { inherit lib; } { web = { autoStart = true; config = …; }; };
#
# Two defaults differ: a container gets a user namespace unless privateUsers = "no" is set, and changes of `config` are
# activated in the running container.
{ lib }:
let
  # pkgs is an option that was removed there; tmpfs may be null
  convert =
    container:
    builtins.removeAttrs container [
      "pkgs"
      "tmpfs"
    ]
    // lib.optionalAttrs (container.tmpfs or null != null) { inherit (container) tmpfs; };
in
# a function is a module, whose attributes nobody knows yet
lib.mapAttrs (_: container: if builtins.isAttrs container then convert container else container)
