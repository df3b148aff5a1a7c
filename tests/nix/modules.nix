# SPDX-License-Identifier: MIT
# host.nix, guest.nix, container.nix and compat.nix with nixpkgs' lib. The value is a list of what is not as it should be.
# withFlake = false: without what evaluates a flake that isn't locked.
{
  lib,
  withFlake ? true,
}:
let
  check = import ./check.nix;
  host = modules: import ./evaluate.nix { inherit lib modules; };
  containers = c: host [ { systemd.containers = c; } ];
  conf = name: config: config.environment.etc."narthex/${name}.conf".text;
  has = text: line: builtins.elem line (lib.splitString "\n" text);
  messages = config: map (a: a.message) config.assertions;

  # the seed's first example
  foo = {
    privateNetwork = true;
    hostAddress = "10.231.136.1";
    localAddress = "10.231.136.2";
    config = {
      services.openssh.enable = true;
    };
  };
  withFoo = containers { inherit foo; };
  inside = withFoo.systemd.containers.foo.config;
  changed = containers { foo = lib.recursiveUpdate foo { config.networking.useDHCP = true; }; };
  trigger = kind: config: lib.findFirst (lib.hasPrefix "X-${kind}-Triggers=") null (lib.splitString "\n" (conf "foo" config));

  compat = import ../../nix/compat.nix { inherit lib; };
  old = containers (compat {
    web = {
      autoStart = true;
      privateNetwork = true;
      hostAddress = "10.0.0.1";
      localAddress = "10.0.0.2";
      tmpfs = null;
      bindMounts."/data" = {
        hostPath = "/srv/data";
        isReadOnly = false;
      };
      additionalCapabilities = [ "CAP_MKNOD" ];
      privateUsers = "no";
      config = { lib, ... }: { services.openssh.enable = lib.mkForce true; };
    };
  });
in
check [
  {
    what = "nothing is there without a container";
    got = (host [ ]).environment.etc;
    wanted = { };
  }
  {
    what = "the seed's example: its network";
    got = map (has (conf "foo" withFoo)) [
      "Private=yes"
      "HostAddress=10.231.136.1"
      "LocalAddress=10.231.136.2"
      "Path=${inside.system.build.toplevel}"
    ];
    wanted = [ true true true true ];
  }
  {
    what = "the seed's example: its system";
    got = [
      inside.services.openssh.enable
      inside.networking.hostName
      inside.boot.isContainer
    ];
    wanted = [ true "foo" true ];
  }
  {
    what = "the seed's example with path";
    got = has (conf "foo" (containers { foo.path = "/nix/var/nix/profiles/containers/foo"; })) "Path=/nix/var/nix/profiles/containers/foo";
    wanted = true;
  }
  {
    what = "no complaint about either";
    got = messages withFoo ++ messages (containers { foo.path = "/nix/var/nix/profiles/containers/foo"; });
    wanted = [ ];
  }
  {
    what = "a container has no kernel, no initrd and no terminal";
    got = [
      inside.boot.kernel.enable
      inside.boot.initrd.enable
      inside.systemd.services.console-getty.enable
      inside.networking.useDHCP
      inside.networking.useHostResolvConf
    ];
    wanted = [ false false false false true ];
  }
  {
    what = "isContainer is what does it";
    got =
      (lib.evalModules {
        modules = [
          ./standin/nixos/modules/standin.nix
          ../../nix/guest.nix
          { _module.args.pkgs.narthex = null; }
        ];
      }).config.boot.kernel.enable;
    wanted = true;
  }
  {
    what = "another config reloads, and doesn't restart";
    got = [
      (trigger "Reload" withFoo == trigger "Reload" changed)
      (trigger "Restart" withFoo == trigger "Restart" changed)
    ];
    wanted = [ false true ];
  }
  {
    what = "another user namespace restarts";
    got = trigger "Restart" withFoo == trigger "Restart" (containers { foo = foo // { privateUsers = 1048576; }; });
    wanted = false;
  }
  {
    what = "restartIfChanged = false is said";
    got = has (conf "foo" (containers { foo = foo // { restartIfChanged = false; }; })) "X-RestartIfChanged=false";
    wanted = true;
  }
  {
    what = "definitions of several modules merge, also those of config";
    got =
      let
        c = host [
          { systemd.containers = { inherit foo; }; }
          { systemd.containers.foo = { autoStart = true; tmpfs = [ "/a" ]; }; }
          { systemd.containers.foo = { tmpfs = [ "/b" ]; config = { networking.useDHCP = true; }; }; }
        ];
      in
      [
        c.systemd.containers.foo.autoStart
        c.systemd.containers.foo.tmpfs
        c.systemd.containers.foo.config.networking.useDHCP
        c.systemd.containers.foo.config.services.openssh.enable
      ];
    wanted = [ true [ "/a" "/b" ] true true ];
  }
  {
    what = "a config that is a function gets what NixOS gives, and specialArgs";
    got =
      (containers {
        foo = {
          specialArgs.greeting = "hello";
          config = { greeting, modulesPath, ... }: { networking.hostName = "${greeting}-${baseNameOf modulesPath}"; };
        };
      }).systemd.containers.foo.config.networking.hostName;
    wanted = "hello-modules";
  }
  {
    what = "a config that is an attribute set may import others";
    got =
      (containers {
        foo.config.imports = [ { services.openssh.enable = true; } ];
      }).systemd.containers.foo.config.services.openssh.enable;
    wanted = true;
  }
  {
    what = "problems are assertions that name the container";
    got = messages (containers { foo = { path = "/x"; localAddress = "10.0.0.2"; }; });
    wanted = [
      "systemd.containers.foo: localAddress has no effect without a network of its own: set privateNetwork = true, or remove it"
    ];
  }
  {
    what = "what runs is said once";
    got = map (c: messages (containers { foo = c; })) [ { } { config = { }; path = "/x"; } ];
    wanted = [
      [ "systemd.containers.foo: config, path and flake each say what runs: set one of them" ]
      [ "systemd.containers.foo: config, path and flake each say what runs: set one of them" ]
    ];
  }
  {
    what = "a port is a number that there is";
    fails = conf "foo" (containers { foo = { path = "/x"; forwardPorts = [ { hostPort = 70000; } ]; }; });
  }
  {
    what = "an option that isn't there is refused";
    fails = conf "foo" (containers { foo = { path = "/x"; hostAdress = "10.0.0.1"; }; });
  }
  {
    what = "trees, units, names in the hosts";
    got = [
      withFoo.systemd.tmpfiles.rules
      withFoo.networking.extraHosts
      (map (p: p.name) withFoo.systemd.packages)
      (builtins.attrNames withFoo.systemd.generators)
    ];
    wanted = [
      [
        "d /var/lib/containers 0700 root root -"
        "d /var/lib/containers/foo 0755 root root -"
      ]
      "10.231.136.2 foo.containers\n"
      [ "narthex-units" ]
      [ "narthex-generator" ]
    ];
  }
  {
    what = "the name of a container has both of its addresses";
    got =
      (containers {
        foo = {
          path = "/x";
          privateNetwork = true;
          localAddress = "10.0.0.2/24";
          localAddress6 = "fd00::2/64";
        };
        six = {
          path = "/x";
          privateNetwork = true;
          localAddress6 = "fd00::3";
        };
      }).networking.extraHosts;
    wanted = "10.0.0.2 foo.containers\nfd00::2 foo.containers\nfd00::3 six.containers\n";
  }
  {
    what = "containers.<name> as it is";
    got =
      messages old
      ++ map (has (conf "web" old)) [
        "AutoStart=yes"
        "LocalAddress=10.0.0.2"
        "Bind=/srv/data:/data"
        "Capability=CAP_MKNOD"
        "PrivateUsers=no"
      ]
      ++ [ old.systemd.containers.web.config.services.openssh.enable ];
    wanted = [ true true true true true true ];
  }
]
++ check (lib.optional withFlake {
  what = "a flake's system";
  got = (containers { foo.flake = "path:${toString ./flake}#web"; }).systemd.containers.foo.path;
  wanted = "/nix/store/00000000000000000000000000000000-web";
})
