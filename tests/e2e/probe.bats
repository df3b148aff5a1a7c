#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What root can do in a container, against the lists of what it is allowed to: tests/hostile.

load lib

hostile=/src/tests/hostile

teardown() {
  guests_remove_all
}

# A diff shows what is new, or gone.
lists_agree() { # WHERE
  NARTHEX_FLAVOUR=$flavour "$hostile/collect" "$1" >"$BATS_TEST_TMPDIR/list" 2>"$BATS_TEST_TMPDIR/errors" || {
    cat "$BATS_TEST_TMPDIR/errors" >&2
    return 1
  }
  "$hostile/check" "$hostile/golden-$flavour-$1" "$BATS_TEST_TMPDIR/list"
}

@test "root of a command in a container can do what is listed, nothing else" {
  lists_agree run
}

@test "root of a booted guest can do what is listed, nothing else" {
  lists_agree boot
}

@test "root of a booted guest with a network of its own can do what is listed, nothing else" {
  lists_agree network
}

@test "a new ability is told, and one that is gone" {
  local golden=$hostile/golden-$flavour-boot list=$BATS_TEST_TMPDIR/list
  "$hostile/check" "$golden" "$golden"
  # which error it was doesn't count
  sed 's/: no (EPERM)$/: no (ENOSYS)/' "$golden" >"$list"
  "$hostile/check" "$golden" "$list"
  sed 's/^make a BPF map: no.*/make a BPF map: yes/' "$golden" >"$list"
  run -1 "$hostile/check" "$golden" "$list"
  matches "$output" '\+make a BPF map: yes'
  sed 's/^mount tmpfs: yes/mount tmpfs: no (EPERM)/' "$golden" >"$list"
  run -1 "$hostile/check" "$golden" "$list"
  matches "$output" '-mount tmpfs: yes'
  # what another kernel doesn't have is no fault, what it gives is
  sed -e '1s/.*/# Linux 5.10/' -e '/^mount tmpfs: yes/d' "$golden" >"$list"
  "$hostile/check" "$golden" "$list"
  echo 'fly: yes' >>"$list"
  run -1 "$hostile/check" "$golden" "$list"
  matches "$output" 'fly: yes'
  : >"$list"
  run -1 "$hostile/check" "$golden" "$list"
}

@test "the table in SECURITY.md is what the probe has said" {
  "$hostile/table" --of /src/SECURITY.md >"$BATS_TEST_TMPDIR/there"
  "$hostile/table" | diff -u "$BATS_TEST_TMPDIR/there" -
}
