# SPDX-License-Identifier: MIT
# What render.nix finds wrong. The value is a list of what it should say and doesn't; empty when all is right.
let
  inherit (import ../../nix/render.nix) problems;

  cases = [
    {
      name = "foo";
      options = { };
      wanted = [ ];
    }
    {
      name = "-foo";
      options = { };
      wanted = [ "a container's name begins with a letter or a digit and has only letters, digits, '.', '_' and '-'" ];
    }
    {
      name = "a234567890123456789012345678901234567890123456789012345678901234";
      options = { };
      wanted = [ "a container's name has at most 63 characters, this one has 64" ];
    }
    {
      name = "cache";
      options = { };
      wanted = [ "/var/lib/containers/cache belongs to podman: choose another name" ];
    }
    {
      name = "foo";
      options.localAddress = "10.0.0.2";
      wanted = [ "localAddress has no effect without a network of its own: set privateNetwork = true, or remove it" ];
    }
    {
      name = "foo";
      options = {
        networkNamespace = "/run/netns/x";
        macvlans = [ "eth0" ];
      };
      wanted = [ "networkNamespace names a network that is there already: remove macvlans" ];
    }
    {
      name = "foo";
      options = {
        privateNetwork = true;
        hostBridge = "br0";
        hostAddress = "10.0.0.1";
      };
      wanted = [ "the host's address belongs to the bridge: remove hostAddress, or hostBridge" ];
    }
    {
      name = "foo";
      options.extraVeths.lan.forwardPorts = [ { hostPort = 1; } ];
      wanted = [
        "extraVeths.lan.forwardPorts: ports are forwarded to the container, not to a link: use its own forwardPorts"
      ];
    }
    {
      name = "foo";
      options.privateUsers = "identity";
      wanted = [ "privateUsers = identity would make the container's root the host's root: use \"pick\"" ];
    }
    {
      name = "foo";
      options.privateUsers = 1000;
      wanted = [ "privateUsers = 1000: the host's own users are below 65536: use \"pick\"" ];
    }
    {
      # a line break must not smuggle a key in
      name = "foo";
      options.bindMounts."/srv".hostPath = "/srv\nPrivateUsers=no";
      wanted = [ "bindMounts has a line break in it" ];
    }
    {
      name = "foo";
      options.bindMounts.srv = { };
      wanted = [ "bindMounts.\"srv\" is not absolute" ];
    }
    {
      name = "foo";
      options.path = "system";
      wanted = [ "path = \"system\" is not absolute" ];
    }
    {
      name = "foo";
      options.extraFlags = [
        "--bind=/srv"
        "--volatile"
      ];
      wanted = [ "extraFlags: --volatile has no counterpart: see narthex.conf(5)" ];
    }
  ];
in
builtins.concatMap (
  case:
  let
    got = problems case.name case.options;
  in
  if got == case.wanted then [ ] else [ (case // { inherit got; }) ]
) cases
