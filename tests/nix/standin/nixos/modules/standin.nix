# SPDX-License-Identifier: MIT
{ config, lib, ... }:
let
  inherit (lib) mkOption types;
  option = type: default: mkOption { inherit type default; };
  yes = option types.bool true;
  no = option types.bool false;
  listOfPaths = option (types.listOf types.unspecified) [ ];
  enabled = types.submodule { options.enable = yes; };
  socket = types.submodule {
    options = {
      overrideStrategy = option types.str "asDropinIfExists";
      wantedBy = option (types.listOf types.str) [ ];
    };
  };
in
{
  options = {
    assertions = option (types.listOf types.unspecified) [ ];
    boot.isContainer = no;
    boot.kernel.enable = yes;
    boot.initrd.enable = yes;
    boot.modprobeConfig.enable = yes;
    console.enable = yes;
    environment.etc = option (types.attrsOf (types.submodule { options.text = mkOption { type = types.lines; }; })) { };
    environment.systemPackages = listOfPaths;
    networking.extraHosts = option types.lines "";
    networking.hostName = option types.str "nixos";
    networking.useDHCP = yes;
    networking.useHostResolvConf = no;
    nixpkgs.hostPlatform = option types.unspecified null;
    powerManagement.enable = yes;
    services.openssh.enable = no;
    services.openssh.startWhenNeeded = no;
    services.udisks2.enable = yes;
    systemd.generators = option (types.attrsOf types.str) { };
    systemd.packages = listOfPaths;
    systemd.services = option (types.attrsOf enabled) { };
    systemd.sockets = option (types.attrsOf socket) { };
    systemd.targets = option (types.attrsOf (
      types.submodule { options.wants = option (types.listOf types.str) [ ]; }
    )) { };
    systemd.tmpfiles.rules = option (types.listOf types.str) [ ];
    system.build = option (types.attrsOf types.unspecified) { };
  };

  # another configuration is another system
  config.system.build.toplevel = "/nix/store/00000000000000000000000000000000-nixos-system-${config.networking.hostName}-${
    builtins.substring 0 8 (
      builtins.hashString "sha256" (
        builtins.toJSON [
          config.services.openssh
          config.networking.useDHCP
          config.boot.isContainer
        ]
      )
    )
  }";
}
