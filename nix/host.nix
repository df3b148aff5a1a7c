# SPDX-License-Identifier: MIT

# NixOS, the host's side: systemd.containers.<name> becomes /etc/narthex/NAME.conf and container-NAME.service.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  ours = import ./types.nix { inherit lib; };
  cfg = config.systemd.containers;
  package = config.services.narthex.package;
  isUsed = cfg != { };

  # A whole NixOS configuration as a type: the modules of the container's own nixpkgs, ours, and what NixOS gives modules
  # as arguments.
  systemType =
    name: container:
    let
      modulesPath = "${toString container.nixpkgs}/nixos/modules";
      baseModules = import "${modulesPath}/module-list.nix";
      type = ours.submoduleWithExtraArgs ({ inherit modulesPath; } // container.specialArgs) system;
      system.imports = baseModules ++ [
        ./guest.nix
        {
          _module.args = {
            inherit baseModules;
            extraModules = [ ];
            modules = [ ];
          };
          boot.isContainer = true;
          networking.hostName = lib.mkDefault name;
          nixpkgs.hostPlatform = lib.mkDefault pkgs.stdenv.hostPlatform;
        }
      ];
      # a configuration may be an attribute set with imports
      asModule =
        def:
        def
        // {
          value = _: {
            _file = def.file;
            imports = [ def.value ];
          };
        };
    in
    type
    // {
      merge = loc: defs: type.merge loc (map asModule defs);
      # or it would be made anew of its modules, without this merge
      getSubModules = null;
    };

  confs = pkgs.linkFarm "narthex-configuration" (
    lib.mapAttrsToList (name: container: {
      name = "${name}.conf";
      path = pkgs.writeText "${name}.conf" container.conf;
    }) cfg
  );

  # The units as the generator makes them at boot, but where NixOS compares them with those of the next system. A
  # configuration that narthex would refuse fails here, with its message.
  units = pkgs.runCommand "narthex-units" { } ''
    ${pkgs.runtimeShell} ${./make-units} ${package} ${confs} $out
  '';
in
{
  options = {
    services.narthex.package = mkOption {
      type = types.package;
      default = pkgs.narthex or (pkgs.callPackage ./package.nix { });
      defaultText = lib.literalExpression "pkgs.narthex";
      description = "The package with narthex.";
    };

    systemd.containers = mkOption {
      type = ours.heterogeneousAttrsOf (
        name:
        ours.submoduleWithExtraArgs {
          containerName = name;
          systemType = systemType name;
          defaultNixpkgs = pkgs.path;
        } ./container.nix
      );
      default = { };
      example = lib.literalExpression ''
        {
          foo = {
            privateNetwork = true;
            hostAddress = "10.231.136.1";
            localAddress = "10.231.136.2";
            config = { services.openssh.enable = true; };
          };
          bar.path = "/nix/var/nix/profiles/containers/bar";
        }
      '';
      description = "Lightweight containers; each is a service, `container-NAME`.";
    };
  };

  config = lib.mkIf isUsed {
    assertions = lib.concatLists (
      lib.mapAttrsToList (
        name: container:
        map (problem: {
          assertion = false;
          message = "systemd.containers.${name}: ${problem}";
        }) container.problems
      ) cfg
    );

    environment.etc = lib.mapAttrs' (
      name: container: lib.nameValuePair "narthex/${name}.conf" { text = container.conf; }
    ) cfg;

    environment.systemPackages = [ package ];
    systemd.packages = [ units ];
    systemd.generators.narthex-generator = "${package}/lib/systemd/system-generators/narthex-generator";
    systemd.targets.multi-user.wants = [ "machines.target" ];

    # a system that is booted brings all it needs; its tree begins empty
    systemd.tmpfiles.rules = [
      "d /var/lib/containers 0700 root root -"
    ]
    ++ lib.mapAttrsToList (name: _: "d /var/lib/containers/${name} 0755 root root -") (
      lib.filterAttrs (_: container: container.root == null) cfg
    );

    networking.extraHosts = lib.concatStrings (
      lib.mapAttrsToList (
        name: container:
        lib.concatMapStrings (address: ''
          ${lib.head (lib.splitString "/" address)} ${name}.containers
        '') (lib.filter (address: address != null) [ container.localAddress container.localAddress6 ])
      ) cfg
    );
  };
}
