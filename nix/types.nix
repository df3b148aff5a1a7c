# SPDX-License-Identifier: MIT

# Two types of options that nixpkgs' lib has no name for.
{ lib }:
let
  inherit (lib) mkOptionType mergeDefinitions;
in
{
  # An attribute set in which the type of each attribute follows from its name: f takes a name and gives the type of the
  # attribute of that name.
  heterogeneousAttrsOf =
    f:
    mkOptionType {
      name = "heterogeneousAttrsOf";
      description = "attribute set whose attributes each have a type of their own";
      descriptionClass = "composite";
      check = builtins.isAttrs;
      emptyValue = {
        value = { };
      };
      merge =
        loc: defs:
        let
          names = lib.unique (lib.concatMap (def: builtins.attrNames def.value) defs);
          merged =
            name:
            mergeDefinitions (loc ++ [ name ]) (f name) (
              map (def: {
                inherit (def) file;
                value = def.value.${name};
              }) (builtins.filter (def: def.value ? ${name}) defs)
            );
        in
        # an attribute of which every definition is mkIf false isn't there
        builtins.listToAttrs (
          lib.concatMap (
            name:
            let
              m = merged name;
            in
            lib.optional m.isDefined {
              inherit name;
              value = m.mergedValue;
            }
          ) names
        );
      # f is unknown until there is a name; this is how documentation shows any
      getSubOptions = prefix: (f "‹name›").getSubOptions (prefix ++ [ "‹name›" ]);
      # two functions can't be compared, so two declarations can't be one
      typeMerge = _: null;
    };

  # A submodule whose functions get args besides the usual ones, also in their imports. As with types.submodule, a
  # definition that is an attribute set only defines options, so that one of them may be called `config`.
  submoduleWithExtraArgs =
    args: module:
    lib.types.submoduleWith {
      modules = [ module ];
      specialArgs = args;
      shorthandOnlyDefinesConfig = true;
    };
}
