#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What make install puts where, and how it was built. B names the build.

bats_require_minimum_version 1.5.0

setup_file() {
  export tree=$BATS_FILE_TMPDIR/tree
  make -s B="${B:-build}" install DESTDIR="$tree" PREFIX=/usr >"$BATS_FILE_TMPDIR/log" 2>&1 || {
    cat "$BATS_FILE_TMPDIR/log" >&2
    return 1
  }
}

# Our programs; the libraries that guests get are the distribution's.
programs() {
  local f
  find "$tree" -path '*/guest/lib' -prune -o -type f -print | while read -r f; do
    [ "$(head -c 4 "$f" | tr -d '\0')" != $'\x7fELF' ] || echo "$f"
  done
}

@test "everything is where it belongs" {
  local f missing=
  for f in bin/{narthex,run-in-netns} lib/narthex/narthex-{launch,agent,ctl,network,unpack,keep} \
    lib/systemd/system-generators/narthex-generator lib/narthex/guest/{narthex-agent,narthex-init}; do
    [ -x "$tree/usr/$f" ] || missing+=" $f"
  done
  for f in lib/systemd/system/narthex-{agent.service,login.socket,root-login.socket,root-shell.socket,exec.socket} \
    lib/tmpfiles.d/narthex.conf share/man/man1/narthex.1 share/man/man5/narthex.conf.5 share/man/man8/narthex-launch.8 \
    share/bash-completion/completions/narthex share/zsh/site-functions/_narthex share/doc/narthex/{COPYING,SECURITY.md}; do
    [ -f "$tree/usr/$f" ] || missing+=" $f"
  done
  echo "missing:$missing"
  [ -z "$missing" ]
  # nothing is enabled, nothing lies elsewhere, nobody but the owner writes, nothing is setuid
  [ "$(ls "$tree")" = usr ]
  [ -z "$(find "$tree" -name '*.wants')" ]
  [ -z "$(find "$tree" ! -type l -perm /6022 -print)" ]
}

@test "what an installed page leads to is installed" {
  local doc=$tree/usr/share/doc/narthex page link missing='' n=0
  while read -r page; do
    while read -r link; do
      n=$((n + 1))
      [ -e "$(dirname "$page")/$link" ] || missing+=" ${page#"$doc/"}:$link"
    done < <(grep -ohE '\]\([^)#:]+' "$page" | cut -c3-)
  done < <(find "$doc" -name '*.md')
  while read -r link; do
    n=$((n + 1))
    [ -e "$doc/$link" ] || [ -e "$doc/docs/$link" ] || missing+=" man:$link"
  done < <(grep -rhoE '[A-Za-z/-]+\.md' "$tree/usr/share/man")
  echo "missing:$missing"
  [ -z "$missing" ]
  [ "$n" -ge 15 ]
}

@test "a first boot opens no door of a host" {
  local root=$BATS_TEST_TMPDIR/root
  cp -R "$tree" "$root"
  # what says that a first boot enables what nobody speaks of
  printf '[Unit]\nDescription=x\n[Install]\nWantedBy=sockets.target\n[Socket]\nListenStream=/x\n' >"$root/usr/lib/systemd/system/other.socket"
  systemctl --root="$root" preset-all
  [ "$(ls "$root/etc/systemd/system/sockets.target.wants")" = other.socket ]
  # by name they can be
  systemctl --root="$root" enable narthex-exec.socket
  [ -L "$root/etc/systemd/system/sockets.target.wants/narthex-exec.socket" ]
}

@test "each program is hardened" {
  local all
  mapfile -t all < <(programs)
  [ "${#all[@]}" -ge 10 ]
  tools/check-hardening "${all[@]}"
}

@test "the check of hardening sees what is missing" {
  local cc=${CC:-gcc} dir=$BATS_TEST_TMPDIR
  printf '#include <stdio.h>\n#include <string.h>\nint main(int n, char **v) { char b[64]; strcpy(b, v[0]); return puts(b) + n; }\n' \
    >"$dir/weak.c"
  try() { # WHAT FLAG…
    local what=$1
    shift
    $cc -O2 -fPIE -pie -fstack-protector-strong -fcf-protection -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -Wl,-z,relro,-z,now "$@" \
      -w -o "$dir/weak" "$dir/weak.c" || return
    run tools/check-hardening "$dir/weak"
    if [ -n "$what" ]; then
      [ "$status" -ne 0 ] && [[ $output == *"no $what"* ]]
    else
      [ "$status" -eq 0 ]
    fi || {
      echo "$what: $output"
      return 1
    }
  }
  try ''
  try 'position independence' -fno-pie -no-pie
  try RELRO -Wl,-z,norelro
  try 'immediate binding' -Wl,-z,lazy
  try 'unexecutable stack' -Wl,-z,execstack
  try 'stack protector' -fno-stack-protector
  try 'fortified functions' -U_FORTIFY_SOURCE
  if [ "$(uname -m)" = x86_64 ]; then
    try 'landing pads' -fcf-protection=none
  fi
  run tools/check-hardening /etc/passwd
  [ "$status" -ne 0 ]
}

@test "a missing build dependency is named with its package" {
  local dir=$BATS_TEST_TMPDIR package
  # a compiler that finds no header, and nothing else there
  printf '#!/bin/sh\nexit 1\n' >"$dir/cc"
  chmod +x "$dir/cc"
  run env PATH="$dir" CC=cc /bin/sh tools/check-deps
  [ "$status" -eq 1 ]
  for package in $(sed -n '/^  build)/,/;;/p' tools/install-deps | sed 's/build) echo//' | tr -d '\\;'); do
    case $package in
    # who runs make has it; one is used where it is there
    make | musl-tools | gcc) continue ;;
    esac
    [[ $output == *"install package $package"* ]] || {
      echo "not named: $package"
      echo "$output"
      return 1
    }
  done
  run env PATH="$dir" CC=gcc /bin/sh tools/check-deps
  [ "$status" -eq 1 ]
  [[ $output == *"missing program gcc: install package gcc"* ]]
  tools/check-deps
}

@test "the source archive is what git has" {
  local archive
  if ! git rev-parse HEAD >/dev/null 2>&1; then
    # in an unpacked archive there is nothing to compare with
    [ ! -e .git ]
    return 0
  fi
  archive=$(make -s B="${B:-build}" dist)
  diff <(tar -tzf "$archive" | grep -v '/$' | sed 's,^[^/]*/,,' | sort) <(git ls-tree -r --name-only HEAD | sort)
}
