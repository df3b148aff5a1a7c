# SPDX-License-Identifier: MIT

# The options of one container, systemd.containers.<name>. render.nix makes the text of its configuration of them.
#
# Arguments besides a module's own: containerName; systemType, the type of `config`; defaultNixpkgs.
{
  lib,
  config,
  options,
  containerName,
  systemType,
  defaultNixpkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  render = import ./render.nix;

  # one of those of render.nix
  option =
    name: type: description:
    mkOption {
      inherit type description;
      default = render.defaults.${name};
    };

  network = {
    hostBridge = option "hostBridge" (types.nullOr types.str) ''
      A bridge of the host that the host's end of the link becomes a port of. The host's address is then the bridge's.
    '';
    hostAddress = option "hostAddress" (types.nullOr types.str) "The IPv4 address of the host's end of the link.";
    hostAddress6 = option "hostAddress6" (types.nullOr types.str) "The IPv6 address of the host's end of the link.";
    localAddress = option "localAddress" (types.nullOr types.str) ''
      The IPv4 address of the container's end of the link; on a bridge with the length of the network's prefix.
    '';
    localAddress6 = option "localAddress6" (types.nullOr types.str) "The same for IPv6.";
    localMacAddress = option "localMacAddress" (types.nullOr (types.strMatching "([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}")) ''
      The hardware address of the container's end of the link; by default it is made from the name.
    '';
    forwardPorts = option "forwardPorts" (types.listOf portType) "Ports of the host that lead to the container.";
  };

  portType = types.submodule {
    options = {
      protocol = mkOption {
        type = types.enum [
          "tcp"
          "udp"
        ];
        default = "tcp";
        description = "The protocol.";
      };
      hostPort = mkOption {
        type = types.port;
        description = "The port on the host.";
      };
      containerPort = mkOption {
        type = types.nullOr types.port;
        default = null;
        description = "The port in the container, if it is another.";
      };
    };
  };

  bindType = types.submodule (
    { name, ... }:
    {
      options = {
        mountPoint = mkOption {
          type = types.str;
          default = name;
          description = "Where it appears in the container.";
        };
        hostPath = mkOption {
          type = types.nullOr types.str;
          default = null;
          description = "What appears there, a path of the host; by default the same.";
        };
        isReadOnly = mkOption {
          type = types.bool;
          default = true;
          description = "Whether the container can't change it.";
        };
        owner = mkOption {
          type = types.nullOr (
            types.enum [
              "noidmap"
              "idmap"
              "rootidmap"
            ]
          );
          default = null;
          description = ''
            Whose the files are in a container with a user namespace: nobody's (the default), those of the users with the
            same numbers, or root's what belongs to the owner of the directory. See Bind= in narthex.conf(5).
          '';
        };
      };
    }
  );

  deviceType = types.submodule {
    options = {
      node = mkOption {
        type = types.str;
        example = "/dev/net/tun";
        description = "The device.";
      };
      modifier = mkOption {
        type = types.strMatching "[rwm]+";
        default = "rw";
        description = "What the container may do with it, as in DeviceAllow= of systemd.resource-control(5).";
      };
    };
  };

  # "URI#ATTRIBUTE" as the system's path
  flakeSystem =
    text:
    let
      parts = lib.splitString "#" text;
      attribute = if builtins.length parts > 1 then builtins.elemAt parts 1 else "container";
    in
    (builtins.getFlake (builtins.head parts)).nixosConfigurations.${attribute}.config.system.build.toplevel;
in
{
  options = {
    config = mkOption {
      type = systemType config;
      description = "The container's system, a NixOS configuration.";
      example = lib.literalExpression "{ services.openssh.enable = true; }";
    };
    path = option "path" (types.nullOr types.path) ''
      Instead of `config`, a NixOS system that is there already, or a profile with one. A profile may move on:
      `narthex switch NAME` activates what it leads to now.
    '';
    flake = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "github:example/systems?rev=0123456789abcdef0123456789abcdef01234567#web";
      description = ''
        Instead of `config`, a flake with the NixOS configuration to run; it is called `container` unless `#` and another
        name follow.
      '';
    };
    nixpkgs = mkOption {
      type = types.path;
      default = defaultNixpkgs;
      defaultText = lib.literalExpression "pkgs.path";
      description = "The nixpkgs whose modules `config` is evaluated with.";
    };
    specialArgs = mkOption {
      type = types.attrsOf types.unspecified;
      default = { };
      description = "More arguments for the modules of `config`.";
    };

    root = option "root" (types.nullOr types.path) ''
      The container's tree; by default `/var/lib/containers/NAME`, which is made, empty, where it is missing.
    '';
    autoStart = option "autoStart" types.bool "Whether it starts with the host.";
    restartIfChanged = option "restartIfChanged" types.bool ''
      Whether switching the host's configuration restarts it when something changed that a running container can't be given.
      Another system, and what `narthex reload` can apply, never restart it.
    '';
    ephemeral = option "ephemeral" types.bool "Whether all changes to the tree are forgotten when it stops.";
    perContainerNix = option "perContainerNix" types.bool ''
      Whether the container has profiles and roots of the garbage collector of its own.
    '';
    nixDaemon = option "nixDaemon" types.bool "Whether it may build with the host's Nix daemon.";
    switchCommand = option "switchCommand" (types.nullOr types.str) "See SwitchCommand= in narthex.conf(5).";
    privateUsers = option "privateUsers" (types.either types.ints.u32 (types.enum [ "pick" "no" "identity" ])) ''
      Which users of the host its users are. Without a user namespace ("no") its root can take over the host.
    '';
    additionalCapabilities = option "additionalCapabilities" (types.listOf types.str) "Capabilities it keeps besides the usual.";
    enableTun = option "enableTun" types.bool "Whether it can make tunnels.";
    copyResolvConf = option "copyResolvConf" types.bool "Whether it gets the host's resolv.conf.";
    bindMounts = option "bindMounts" (types.attrsOf bindType) "Paths of the host that appear in it.";
    tmpfs = option "tmpfs" (types.listOf types.str) "Where it has an empty tmpfs, PATH or PATH:OPTIONS.";
    allowedDevices = option "allowedDevices" (types.listOf deviceType) "Devices that it may use.";

    privateNetwork = option "privateNetwork" types.bool ''
      Whether it has a network of its own, with a link to the host: `eth0` inside, `c-NAME` on the host.
    '';
    extraVeths = mkOption {
      type = types.attrsOf (types.submodule { options = network; });
      default = { };
      description = "More links between host and container, by their name on both sides.";
    };
    interfaces = option "interfaces" (types.listOf types.str) "Interfaces of the host that it gets as long as it runs.";
    macvlans = option "macvlans" (types.listOf types.str) "Interfaces of the host that it gets a macvlan on.";
    networkNamespace = option "networkNamespace" (types.nullOr types.path) "A network namespace to run in.";

    timeoutStartSec = option "timeoutStartSec" (types.nullOr types.str) "How long its start may take.";
    extraFlags = option "extraFlags" (types.listOf types.str) "Flags of systemd-nspawn, as far as they have a key in narthex.conf(5).";
    extraConfig = option "extraConfig" types.lines "Lines of narthex.conf(5) that follow the others, with their section.";

    problems = mkOption {
      type = types.listOf types.str;
      internal = true;
      readOnly = true;
      description = "What is wrong.";
    };
    conf = mkOption {
      type = types.str;
      internal = true;
      readOnly = true;
      description = "The text of its configuration.";
    };
  }
  // network;

  config = {
    path = lib.mkMerge [
      (lib.mkIf options.config.isDefined config.config.system.build.toplevel)
      (lib.mkIf (config.flake != null) (flakeSystem config.flake))
    ];
    problems =
      let
        derived = lib.count (is: is) [
          options.config.isDefined
          (config.flake != null)
        ];
        # a path that is derived is a definition of the option, too
        given =
          if derived > 0 then
            builtins.length options.path.definitionsWithLocations - derived
          else if config.path != null then
            1
          else
            0;
      in
      if derived + given == 1 then
        render.problems containerName config
      else
        [ "config, path and flake each say what runs: set one of them" ];
    conf = render.conf containerName config;
  };
}
