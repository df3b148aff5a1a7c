# SPDX-License-Identifier: MIT
# The types of nix/types.nix, with nixpkgs' lib. The value is a list of what is not as it should be.
{ lib }:
let
  inherit (lib) mkOption types;
  inherit (import ../../nix/types.nix { inherit lib; }) heterogeneousAttrsOf submoduleWithExtraArgs;
  check = import ./check.nix;

  evaluate = type: values: (lib.evalModules {
    modules = [ { options.a = mkOption { inherit type; }; } ] ++ map (a: { inherit a; }) values;
  }).config.a;

  # "n…" are numbers, "s…" strings, the rest submodules that know their name
  byName = heterogeneousAttrsOf (
    name:
    if lib.hasPrefix "n" name then
      types.int
    else if lib.hasPrefix "s" name then
      types.listOf types.str
    else
      submoduleWithExtraArgs { inherit name; greeting = "hello"; } (
        { name, greeting, config, ... }:
        {
          options.text = mkOption {
            type = types.str;
            default = "${greeting} ${name}";
          };
          options.twice = mkOption {
            type = types.str;
            default = config.text + config.text;
          };
        }
      )
  );
in
check [
  {
    what = "each attribute has the type that follows from its name";
    got = evaluate byName [ { n = 1; } { s = [ "x" ]; } ];
    wanted = {
      n = 1;
      s = [ "x" ];
    };
  }
  {
    what = "definitions merge as that type does";
    got = (evaluate byName [ { s = [ "x" ]; } { s = lib.mkBefore [ "y" ]; } ]).s;
    wanted = [ "y" "x" ];
  }
  {
    what = "priorities count inside";
    got = (evaluate byName [ { n = lib.mkDefault 1; } { n = 2; } ]).n;
    wanted = 2;
  }
  {
    what = "conditions count inside, and an attribute without a definition isn't there";
    got = evaluate byName [ { n = lib.mkIf false 1; s = lib.mkIf true [ "x" ]; } ];
    wanted.s = [ "x" ];
  }
  {
    what = "no definition is an empty set";
    got = evaluate byName [ (lib.mkIf false { n = 1; }) ];
    wanted = { };
  }
  {
    what = "a value of another type is refused";
    fails = evaluate byName [ { n = "one"; } ];
  }
  {
    what = "two numbers that differ are refused";
    fails = evaluate byName [ { n = 1; } { n = 2; } ];
  }
  {
    what = "extra arguments reach the submodule";
    got = (evaluate byName [ { foo = { }; } ]).foo;
    wanted = {
      text = "hello foo";
      twice = "hello foohello foo";
    };
  }
  {
    what = "they reach modules that are functions, and their imports";
    got =
      (evaluate byName [
        { foo = _: { imports = [ ({ greeting, ... }: { text = "${greeting} there"; }) ]; }; }
      ]).foo.text;
    wanted = "hello there";
  }
  {
    what = "an option that isn't there is refused";
    fails = (evaluate byName [ { foo.txet = "x"; } ]).foo.text;
  }
]
