#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# narthex create: trees from everywhere, addresses of one's own, nothing left of what failed.

load lib

setup_file() {
  export work=$BATS_FILE_TMPDIR
  tar -C "$containers/.templates/busybox" --numeric-owner -czf "$work/busybox.tar.gz" .
  guests_remove_all
}

teardown() {
  local c
  for c in "$conf_dir"/*.conf; do
    [ ! -e "$c" ] || narthex destroy --yes "$(basename "$c" .conf)" || guests_remove_all
  done
  rm -rf "$conf_dir"/*.conf.d
  rm -rf --one-file-system "$containers"/made*
}

# The flavour is set before: create reads drop-ins that are there, and doesn't touch them.
flavour_of() { # NAME
  [ "$flavour" = nouserns ] || return 0
  mkdir -p "$conf_dir/$1.conf.d"
  printf '[Exec]\nPrivateUsers=no\n' >"$conf_dir/$1.conf.d/flavour.conf"
}

# Nothing of NAME: no tree, no configuration, nothing half done.
nothing_of() { # NAME
  local left
  left=$(find "$containers" "$conf_dir" -maxdepth 1 \( -name "$1" -o -name "$1.conf" -o -name ".*$1*" \))
  equal "$left" ''
}

@test "from a tarball: it starts, with a door and addresses of its own" {
  flavour_of made
  narthex create made --from "$work/busybox.tar.gz" --private-network auto
  equal "$(stat -c %a "$containers")" 700
  equal "$(stat -c '%a %u' "$containers/made")" '755 0'
  equal "$(stat -c %a "$containers/made/bin/busybox")" 4755
  equal "$(stat -c '%u %g' "$containers/made/home/alice")" '1000 1000'
  guest_start made
  poll 20 test -S "$(door made root-shell)"
  matches "$(inside made 'ip -4 addr show eth0')" 'inet 10\.231\.'
  local host
  host=$(sed -n 's/^HostAddress=//p' "$conf_dir/made.conf")
  equal "$(inside made "ping -c 1 -w 60 $host >/dev/null && echo pong")" pong
}

@test "from tarballs of every compression, with all that a file can have" {
  mkdir "$work/src"
  cd "$work/src"
  echo text >file
  ln file hard
  ln -s /nowhere link
  truncate -s 20M sparse && echo end >>sparse
  cp /bin/true cap && setcap cap_net_raw+ep cap
  setfattr -n user.narthex -v yes cap
  mknod null c 1 3
  mkfifo -m 640 fifo && chown 7:8 fifo
  mkdir -m 555 closed && touch closed/inside
  touch $'new\nline' $'\xff\xfe'
  for c in '' --gzip --bzip2 --xz --zstd; do
    # shellcheck disable=SC2086
    tar $c --xattrs --xattrs-include='*' --numeric-owner -S -cf "$work/all.tar" . || continue
    narthex create made --from "$work/all.tar"
    cd "$containers/made"
    equal "$(cat file)" text
    equal "$(stat -c %i file)" "$(stat -c %i hard)"
    equal "$(readlink link)" /nowhere
    equal "$(stat -c %s sparse)" $((20 * 1024 * 1024 + 4))
    [ "$(stat -c %b sparse)" -lt 100 ] || fail 'the hole is gone'
    matches "$(getcap cap)" 'cap_net_raw=ep'
    equal "$(getfattr --only-values -n user.narthex cap)" yes
    equal "$(stat -c '%F %t %T' null)" 'character special file 1 3'
    equal "$(stat -c '%F %a %u %g' fifo)" 'fifo 640 7 8'
    equal "$(stat -c %a closed)" 555
    [ -e $'new\nline' ] && [ -e $'\xff\xfe' ]
    cd "$work/src"
    narthex destroy --yes made
  done
}

@test "from hostile tarballs: refused, and nothing is left" {
  cd "$work"
  mkdir -p evil/dir && echo evil >evil/dir/victim && echo evil >evil/victim
  ln -s "$work" evil/link
  echo untouched >victim
  tar -C evil -cf dotdot.tar --transform 's,^victim,../victim,' -P victim
  tar -C evil -cf absolute.tar --transform "s,^victim,$work/victim,S" -P victim
  tar -C evil -cf through.tar link
  tar -C evil -rf through.tar --transform 's,^dir/,link/,' dir/victim
  ln evil/victim evil/victim-2
  tar -C evil -cf hard.tar victim victim-2
  sed -i 's,victim\x00\{94\},../victim\x00\{91\},' hard.tar
  tar -C evil -P -cf hard.tar --transform 's,^victim$,../../victim,hS' --transform 's,^victim$,inside,rS' victim victim-2
  for t in dotdot absolute through hard; do
    run -125 --separate-stderr narthex create made --from "$t.tar"
    matches "$stderr" 'refused|through symlink'
    nothing_of made
    equal "$(cat victim)" untouched
  done
}

@test "from what is no archive, cut off, empty, a directory, not there" {
  cd "$work"
  head -c 300000 busybox.tar.gz >cut.tar.gz
  : >empty
  echo 'no archive' >text
  for a in cut.tar.gz empty text /etc nowhere; do
    run -125 --separate-stderr narthex create made --from "$a"
    matches "$stderr" '^narthex: '
    nothing_of made
  done
}

@test "from a directory, which stays where it is" {
  flavour_of made
  guest_tree tree busybox "$containers/made-tree"
  narthex create made --root "$containers/made-tree" --hostname hall --bind-ro /etc/os-release:/shown
  [ ! -e "$containers/made" ]
  matches "$(cat "$conf_dir/made.conf")" "Root=$containers/made-tree"
  guest_start made
  poll 20 test -S "$containers/made-tree/var/lib/root-shell.socket"
  equal "$(socat -t 60 - "unix-connect:$containers/made-tree/var/lib/root-shell.socket,retry=400,interval=0.05" <<<'cat /etc/hostname; cat /shown | head -c 6')" \
    $'busybox\nPRETTY'
  narthex destroy --yes made
  [ -d "$containers/made-tree/bin" ]
}

@test "--path: a NixOS system on an empty tree" {
  mkdir -p /nix/store/sys-made/bin
  cp /bin/busybox /nix/store/sys-made/bin/
  printf '#!/nix/store/sys-made/bin/busybox sh\necho started >/started\nexec /nix/store/sys-made/bin/busybox sleep 1000\n' \
    >/nix/store/sys-made/init
  chmod 755 /nix/store/sys-made/init
  flavour_of made
  narthex create made --path /nix/store/sys-made
  equal "$(find "$containers/made" -mindepth 1)" ''
  guest_start made
  poll 20 grep -q started "$containers/made/started"
  narthex kill made
  narthex destroy --yes made
  rm -rf --one-file-system /nix
}

@test "many at once get addresses of their own" {
  local i pids=()
  mkdir "$containers/made-tree"
  # all but 10.231.0.0/24 is taken: every name's search ends at the same pair
  printf '[Network]\n' >"$conf_dir/taken.conf"
  for i in 128.1/17 64.1/18 32.1/19 16.1/20 8.1/21 4.1/22 2.1/23 1.1/24; do
    printf 'HostAddress=10.231.%s\n' "$i"
  done >>"$conf_dir/taken.conf"
  for i in {1..20}; do
    narthex create "made$i" --root "$containers/made-tree" --private-network auto &
    pids+=($!)
  done
  wait "${pids[@]}"
  equal "$(sed -n 's/^\(Host\|Local\)Address=//p' "$conf_dir"/made*.conf | sort | uniq -d)" ''
  equal "$(sed -n 's/^LocalAddress=//p' "$conf_dir"/made*.conf | grep -c '^10\.231\.0\.')" 20
  guests_remove_all
}

@test "two creates of one name: one is refused" {
  local first=0 second=0
  narthex create made --from "$work/busybox.tar.gz" 2>/dev/null &
  narthex create made --from "$work/busybox.tar.gz" 2>/dev/null || first=$?
  wait $! || second=$?
  # both may be quick enough to meet at the end, but only one can win
  equal "$((first + second))" 125
  [ -x "$containers/made/bin/busybox" ]
}

@test "an interrupted create leaves nothing, whatever it was doing" {
  local sig pid status
  mkdir "$work/bin"
  printf '#!/bin/sh\nfor d; do case $d in */.create-*) dir=$d ;; esac; done
mount -t tmpfs x "$dir" && mkdir "$dir/x" && touch "$1" && (setsid sh -c "trap : TERM; while :; do :; done" &)
touch %s/running; while :; do read -r x <>/dev/null; done\n' "$work" >"$work/bin/mmdebstrap"
  chmod 755 "$work/bin/mmdebstrap"
  for sig in INT TERM HUP; do
    rm -f "$work/running"
    # a shell has its background jobs ignore SIGINT
    PATH=$work/bin:$PATH env --default-signal=INT narthex create made --bootstrap suite 2>/dev/null &
    pid=$!
    poll 20 test -e "$work/running"
    kill -"$sig" "$pid"
    status=0
    wait "$pid" || status=$?
    equal "$status" $((128 + $(kill -l "$sig")))
    nothing_of made
    poll 20 not pgrep -f 'trap : TERM'
  done
  [ -z "$(grep create-made /proc/self/mounts)" ]
}

@test "what a killed create left is taken away by the next" {
  local pid
  mkfifo "$work/never"
  narthex create made --from "$work/never" &
  pid=$!
  poll 20 test -d "$containers/.create-made"
  kill -KILL $pid
  wait $pid || true
  [ -d "$containers/.create-made" ]
  narthex create made --from "$work/busybox.tar.gz"
  [ ! -e "$containers/.create-made" ]
}

@test "--bootstrap without mmdebstrap and debootstrap says what to install" {
  run -125 --separate-stderr narthex create made --bootstrap bookworm
  matches "$stderr" 'needs mmdebstrap or debootstrap'
  nothing_of made
}

@test "each mistake has its message, and nothing happens" {
  local message args
  while IFS='|' read -r status message args; do
    # shellcheck disable=SC2086
    run "-$status" --separate-stderr narthex create $args
    matches "$stderr" "$message"
    nothing_of made
  done <<'END'
2|usage|
2|usage|a b --root /etc
2|can't be a container's name|.made --root /etc
2|give one of|made
2|give only one of|made --root /etc --path /nix/store/x
2|mirror goes with|made --root /etc --mirror http://x
2|there is no option|made --rot /etc
2|say auto, or HOST,LOCAL|made --root /etc --private-network 10.0.0.1
2|HostAddress|made --root /etc --private-network 10.0.0.1/33,10.0.0.2
2|must be an absolute path|made --root /etc --bind etc
2|belongs to podman|storage --from /dev/null
125|--root=/nowhere: cannot use /nowhere|made --root /nowhere
125|is not a directory|made --root /etc/passwd
2|needs Ephemeral=yes|made --root /
END
}

@test "what is there already is refused, and stays as it is" {
  narthex create made --from "$work/busybox.tar.gz"
  run -125 --separate-stderr narthex create made --root /etc
  matches "$stderr" 'is there already'
  rm "$conf_dir/made.conf"
  run -125 --separate-stderr narthex create made --from "$work/busybox.tar.gz"
  matches "$stderr" 'use it with --root, or destroy it'
  [ -x "$containers/made/bin/busybox" ]
  narthex create made --root "$containers/made"
}

@test "an address that another container has is refused" {
  mkdir "$containers/made-tree"
  narthex create made1 --root "$containers/made-tree" --private-network 10.99.0.1,10.99.0.2
  run -125 --separate-stderr narthex create made --root "$containers/made-tree" --private-network 10.99.0.1,10.99.0.2
  matches "$stderr" 'in use already'
  nothing_of made
  narthex create made2 --root "$containers/made-tree" --private-network 10.99.0.1,10.99.0.3
}

@test "a progress bar on a terminal, none in a pipe" {
  run --separate-stderr narthex create made --from "$work/busybox.tar.gz"
  equal "$output$stderr" ''
  narthex destroy --yes made
  head -c 20000000 /dev/urandom >"$work/zero"
  tar -C "$work" -czf "$work/big.tar.gz" zero
  talk "
    spawn narthex create made --from $work/big.tar.gz
    need {unpacking \[[#.]+\] +[0-9]+% [0-9.]+ [KM]iB}
    need_eof"
}
