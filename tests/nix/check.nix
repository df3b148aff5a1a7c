# SPDX-License-Identifier: MIT
# From a list of { what, got, wanted } or { what, fails } the list of those that are not so.
builtins.concatMap (
  case:
  let
    isSo =
      if case ? fails then
        !(builtins.tryEval (builtins.deepSeq case.fails null)).success
      else
        case.got == case.wanted;
  in
  if isSo then [ ] else [ (case // { fails = null; }) ]
)
