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

@test "every test that SECURITY.md, the list of pains and the promises name is there" {
  local page
  for page in SECURITY.md docs/testing.md docs/reliability.md docs/hostile.md; do
    names_are_there "/src/$page"
  done
}

names_are_there() { # PAGE
  local file title n=0
  # `file.bats` "title", "title"; `test-file.c` function
  while IFS=$'\t' read -r file title; do
    case $file in
    *.bats) grep -qxF "@test \"$title\" {" "/src/tests"/{e2e,build}/"$file" 2>/dev/null || fail "$file has no test \"$title\"" ;;
    *) grep -q "^static void $title(" "/src/tests/unit/$file" || fail "$file has no test $title" ;;
    esac
    n=$((n + 1))
  done < <(perl -ne 'while (/`([a-z-]+\.bats)` ((?:"[^"]+"(?:, )?)+)|`(test-[a-z-]+\.c)` ([a-z_0-9]+)/g) {
    if ($3) { print "$3\t$4\n" } else { my $f = $1; print "$f\t$_\n" for $2 =~ /"([^"]+)"/g }
  }' "$1")
  [ "$n" -ge 20 ] || fail "$1: only $n names were found"
}
