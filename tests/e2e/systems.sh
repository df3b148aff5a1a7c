# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC2154 # the builder of systems.nix: $shell, $version, $status and $init are its attributes
set -e
b=$shell
"$b" mkdir -p "$out/bin"
{
  echo "#!$b sh"
  echo "busybox=$b version=$version"
  "$b" cat "$init"
} >"$out/init"
{
  echo "#!$b sh"
  echo "echo \"switching to $version: \$1\""
  echo "echo \"as root in \$NARTHEX_SYSTEM\" >&2"
  [ "$status" != 0 ] || echo "echo $version >/run/version"
  echo "exit $status"
} >"$out/bin/switch-to-configuration"
"$b" chmod 755 "$out/init" "$out/bin/switch-to-configuration"
