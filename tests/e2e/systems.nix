# SPDX-License-Identifier: MIT
# Tiny systems as a launcher and `narthex switch` see them: init, and bin/switch-to-configuration. They are built without
# a network, of nothing but a static busybox; the tree they run in is empty.
{
  # a directory with busybox in it: by the name of a store's file it wouldn't know what it is
  busybox,
  version,
  # what switch-to-configuration returns
  status ? 0,
}:
let
  shell = "${busybox}/busybox";
in
derivation {
  name = "system-${version}";
  system = builtins.currentSystem;
  builder = shell;
  args = [
    "sh"
    ./systems.sh
  ];
  inherit shell version status;
  init = ./systems-init.sh;
}
