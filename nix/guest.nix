# SPDX-License-Identifier: MIT

# NixOS, the guest's side: what a system needs, and doesn't, that runs as a container (boot.isContainer).
#
# The doors are no part of it: the launcher brings agent and units in, at the version of the host. A guest that somebody else
# starts can have them of its own: services.narthex-agent.enable.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkDefault mkOption types;
  cfg = config.services.narthex-agent;
  doors = [
    "login"
    "root-login"
    "root-shell"
    "exec"
  ];
in
{
  options.services.narthex-agent = {
    enable = mkOption {
      type = types.bool;
      default = false;
      description = "Whether this system brings its own agent for its doors; under narthex it needs none.";
    };
    package = mkOption {
      type = types.package;
      default = pkgs.narthex or (pkgs.callPackage ./package.nix { });
      defaultText = lib.literalExpression "pkgs.narthex";
      description = "The package with the agent.";
    };
  };

  config = lib.mkMerge [
    (lib.mkIf config.boot.isContainer {
      # the kernel is the host's, and so is what goes with it
      boot.kernel.enable = mkDefault false;
      boot.initrd.enable = mkDefault false;
      boot.modprobeConfig.enable = mkDefault false;
      powerManagement.enable = mkDefault false;
      services.udisks2.enable = mkDefault false;
      systemd.services.systemd-remount-fs.enable = false;
      systemd.services.systemd-random-seed.enable = false;

      # /dev/console goes to the host's journal, and there is no other terminal: one walks in through the doors
      console.enable = mkDefault false;
      systemd.services."getty@".enable = false;
      systemd.services."serial-getty@".enable = false;
      systemd.services.console-getty.enable = false;

      # addresses and resolv.conf are the launcher's work
      networking.useDHCP = mkDefault false;
      networking.useHostResolvConf = mkDefault true;

      services.openssh.startWhenNeeded = mkDefault true;
    })
    (lib.mkIf cfg.enable {
      systemd.packages = [ cfg.package ];
      systemd.sockets = lib.genAttrs (map (door: "narthex-${door}") doors) (_: {
        overrideStrategy = "asDropin";
        wantedBy = [ "sockets.target" ];
      });
    })
  ];
}
