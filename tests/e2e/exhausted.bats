#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What a host or a guest can run out of: space, inodes, descriptors, terminals, uid ranges. Each has its message, nothing half-made stays, and
# when there is some again all is as before.

load lib

setup_file() {
  export work=$BATS_FILE_TMPDIR
  guests_remove_all
  guest_tree exhausted busybox
}

teardown() {
  explain_failure
  umount -q "$work"/disk /run/narthex "$containers" "$conf_dir" 2>/dev/null || true
}

teardown_file() {
  guests_remove_all
  rm -rf --one-file-system "${containers:?}/exhausted"
}

# A start in the foreground, by CMD…, that says "up".
start() { # CMD…
  local launch=(/usr/lib/narthex/narthex-launch --foreground --root "$containers/exhausted" --name exhausted
    --set Exec.Boot=no --set Network.HostAddress=10.97.0.1 --set Network.LocalAddress=10.97.0.2)
  [ "$flavour" != nouserns ] || launch+=(--set Exec.PrivateUsers=no)
  run timeout 60 "$@" "${launch[@]}" -- /bin/sh -c 'echo up; exit 5' </dev/null 3>&-
}

works() {
  start env
  [ "$status" = 5 ] && [[ $output == *up* ]]
}

# Mounts of the tests' own don't count.
left() {
  traces exhausted | grep -vx /run/narthex
  find /sys/fs/cgroup -type d -name narthex-exhausted
  ls -d /run/narthex/exhausted 2>/dev/null
}

nothing_left() {
  [ -z "$(left)" ]
}

# It has failed, with WORDS on stderr, and has left nothing.
refused() { # REGEX
  [[ $status != [05] ]] || fail "status $status: $output"
  matches "$output" "$1"
  # what could not be removed without descriptors, the unit's ExecStopPost= does
  [ ! -e /run/narthex/exhausted/lock ] || /usr/lib/narthex/narthex-launch --cleanup exhausted
  poll 20 nothing_left || {
    left
    fail "something is left, after: $output"
  }
}

@test "/run/narthex without space or inodes: a start says on what, and leaves nothing" {
  local n failed=0
  for n in 1 2 3 5 8 11 13 15 40; do
    mount -t tmpfs -o "mode=0755,nr_inodes=$n" full /run/narthex
    start env
    if [ "$status" != 5 ]; then
      refused '/run/narthex.*No space left on device|No space left on device.*/run/narthex'
      failed=$((failed + 1))
    fi
    poll 20 umount /run/narthex
  done
  [ "$failed" -gt 4 ] && [ "$status" = 5 ]
  mount -t tmpfs -o mode=0755,size=4k full /run/narthex
  echo full >/run/narthex/.full
  start env
  refused '/run/narthex.*No space left on device'
  poll 20 umount /run/narthex
  works
}

@test "too few descriptors: a start says for what, and leaves nothing" {
  local n failed=0
  for n in 4 6 7 8 9 10 12 16 20 24; do
    start prlimit --nofile=$n:$n
    [ "$status" = 5 ] || {
      refused 'narthex.*(Too many open files|No file descriptors available)'
      failed=$((failed + 1))
    }
  done
  [ "$failed" -gt 3 ]
  works
}

@test "no uid range is free: a start says so, and leaves nothing" {
  [ "$flavour" = userns ] || return 0
  cp -a /etc/subuid "$work/subuid" 2>/dev/null || : >"$work/subuid"
  echo 'everything:1:4294967294' >/etc/subuid
  start env
  cp -a "$work/subuid" /etc/subuid
  refused 'no free uid range .*/etc/subuid'
  works
}

@test "a full disk: create says so, and leaves nothing" {
  tar -C "$containers/exhausted" --numeric-owner -cf "$work/tree.tar" .
  mount -t tmpfs -o mode=0700,size=256k full "$containers"
  run narthex create made --from "$work/tree.tar"
  equal "$(ls -A "$containers")" ''
  poll 20 umount "$containers"
  [ "$status" != 0 ]
  matches "$output" 'No space left on device'
  [ ! -e "$conf_dir/made.conf" ]

  mount -t tmpfs -o nr_inodes=1 full "$conf_dir"
  run narthex create made --from "$work/tree.tar"
  poll 20 umount "$conf_dir"
  [ "$status" != 0 ]
  matches "$output" "$conf_dir.*No space left on device"
  [ ! -e "$containers/made" ]

  narthex create made --from "$work/tree.tar"
  narthex destroy --yes made
}

@test "a full disk: cp says so, and leaves no half file" {
  mkdir "$work/disk"
  mount -t tmpfs -o size=64k full "$work/disk"
  head -c 1000000 /dev/zero >"$containers/exhausted/root/big"
  run narthex cp "--root=$containers/exhausted" :/root/big "$work/disk/big"
  [ "$status" != 0 ]
  matches "$output" "big.*No space left on device"
  equal "$(ls -A "$work/disk")" ''
  umount "$work/disk"
  mount -t tmpfs -o size=64k full "$work/disk"
  mkdir "$work/disk/tmp"
  run narthex cp "--root=$work/disk" "$containers/exhausted/root/big" :/tmp/big
  [ "$status" != 0 ]
  matches "$output" 'big.*No space left on device'
  equal "$(ls -A "$work/disk/tmp")" ''
  rm "$containers/exhausted/root/big"
}

# The most terminals that the guest can have; the console is one.
terminals() { # NUMBER
  local leader options
  leader=$(guest_leader terminals)
  options=$(awk '$5 == "/dev/pts" { print $NF }' "/proc/$leader/mountinfo" | sed 's/^rw,//; s/,max=[0-9]*//')
  # MS_REMOUNT with the flags that it has; mount(8) refuses in a user namespace that isn't its own
  nsenter -t "$leader" -m perl -e '($t, $o) = @ARGV; syscall(165, $t, $d = "/dev/pts", $t, 32 | 2 | 8 | 1 << 21, $o) == 0 or die $!' \
    devpts "$options,max=$1"
}

@test "no terminal is free in the guest: doors that need one say so, the others serve" {
  guest_up terminals </dev/null
  terminals 1
  run -125 narthex exec -t terminals -- true </dev/null
  matches "$output" 'cannot open a pty: No space left on device'
  for door_name in root-login login; do
    matches "$(timeout 60 socat -u "unix:$(door terminals $door_name)" -)" 'narthex: cannot open a terminal: No space left on device'
  done
  equal "$(inside terminals 'echo served')" served
  equal "$(narthex exec terminals -- echo served)" served
  terminals 100
  run -7 narthex exec -t terminals -- sh -c 'tty; exit 7' </dev/null
  matches "$output" '/dev/pts/[1-9]'
  talk "door=$(door terminals login)" 'knock $door; need "login: $"'
}

# With so many descriptors at most, and none of bats'.
with_descriptors() ( # N CMD…
  local fd
  for fd in "/proc/$BASHPID/fd"/*; do
    fd=${fd##*/}
    [ "$fd" -lt 3 ] || eval "exec $fd>&-"
  done
  exec prlimit --nofile="$1:$1" "${@:2}"
)

@test "narthex exec without descriptors says so, and the terminal is as it was; with a few it works" {
  local n failed=0
  # to look for leaks takes descriptors
  export ASAN_OPTIONS=detect_leaks=0
  for n in 4 5 6 8 9 10 11 12 13 16; do
    run with_descriptors $n narthex exec terminals -- sh -c 'echo up; exit 5' </dev/null
    if [ "$status" != 5 ]; then
      equal "$status" 125
      matches "$output" '^narthex: cannot .*: (Too many open files|No file descriptors available)'
      failed=$((failed + 1))
    fi
    talk 'spawn -noecho bash -c {stty -g >'"$BATS_TEST_TMPDIR/before; prlimit --nofile=$n:$n"' narthex exec -t terminals -- sh -c "exit 5"; echo status $?; stty -g >'"$BATS_TEST_TMPDIR"'/after; echo end}
      need {status (125|5)}; need end; need_eof'
    [[ $output == *'status 5'* ]] || matches "$output" 'narthex: cannot .*: (Too many open files|No file descriptors available)'
    cmp "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
  done
  [ "$failed" -gt 3 ]
  # the last had enough
  [[ $output == *'status 5'* ]]
  run with_descriptors 16 narthex exec terminals -- sh -c 'exit 5' </dev/null
  equal "$status $output" '5 '
}
