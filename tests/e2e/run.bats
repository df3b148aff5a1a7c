#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# narthex run: a container in the foreground, without systemd's help.

load lib

setup_file() {
  guest_tree tree
}

teardown_file() {
  rm -rf --one-file-system "${containers:?}/tree"
}

setup() {
  no_userns=()
  [ "$flavour" = userns ] || no_userns=(--private-users=no)
  options=(--root "$containers/tree" --ephemeral "${no_userns[@]}")
}

@test "a command's output and exit status" {
  run -0 timeout $((30 * ease)) narthex run "${options[@]}" -- /bin/echo hello
  matches "$output" 'hello'
  run -3 timeout $((30 * ease)) narthex run "${options[@]}" -- /bin/sh -c 'exit 3'
  run -143 timeout $((30 * ease)) narthex run "${options[@]}" -- /bin/sh -c 'kill -TERM $$'
  run -127 timeout $((30 * ease)) narthex run "${options[@]}" -- no-such-command
  run -126 timeout $((30 * ease)) narthex run "${options[@]}" -- /etc/passwd
}

@test "a caller that ignores SIGCHLD is no obstacle" {
  run -3 timeout $((30 * ease)) env --ignore-signal=CHLD narthex run "${options[@]}" --private-network -- /bin/sh -c 'exit 3'
}

@test "stdin, stdout and stderr are the command's own" {
  equal "$(echo text | timeout $((30 * ease)) narthex run "${options[@]}" -- cat 2>/dev/null)" text
  equal "$(timeout $((30 * ease)) narthex run "${options[@]}" -- sh -c 'echo err >&2; echo out' 2>/dev/null)" out
  equal "$(head -c 10000000 /dev/zero | timeout $((30 * ease)) narthex run "${options[@]}" -- cat 2>/dev/null | wc -c)" 10000000
}

@test "a command whose output can't be written fails; a reader who leaves is no failure" {
  run -125 bash -c 'narthex run "$@" -- echo lost >/dev/full' - "${options[@]}"
  matches "$output" 'cannot write .*: No space left on device'
  run -125 bash -c 'narthex run "$@" -- sh -c "echo lost >&2; exit 3" 2>/dev/full' - "${options[@]}"
  run -0 bash -c 'narthex run "$@" -- sh -c "yes || :" | head -n 1' - "${options[@]}"
  run -0 bash -c 'narthex run "$@" -- echo nowhere >&-' - "${options[@]}"
}

@test "it is a container: PID 2, a hostname, no other processes" {
  equal "$(timeout $((30 * ease)) narthex run "${options[@]}" --name boxed -- sh -c 'echo $$; cat /proc/sys/kernel/hostname' 2>/dev/null)" $'2\nboxed'
}

@test "usage errors are 2, own errors 125" {
  run -2 narthex run --no-such-option
  run -2 narthex frobnicate
  run -125 timeout $((30 * ease)) narthex run --root /does/not/exist -- true
  matches "$output" '/does/not/exist'
}

@test "booted in the foreground: doors work, TERM stops it in order, nothing is left" {
  local pid status=0
  timeout 120 narthex run "${options[@]}" --name fore --private-network --host-address 10.30.0.1 --local-address 10.30.0.2 \
    </dev/null >"$BATS_TEST_TMPDIR/log" 2>&1 3>&- &
  pid=$!
  /build/tests/knock first /run/narthex/fore/root/var/lib/root-shell.socket $((60 * slow)) 'id -u' 0 || {
    cat "$BATS_TEST_TMPDIR/log"
    false
  }
  ping -c 1 -W 20 10.30.0.2
  kill -TERM "$pid"
  wait "$pid" || status=$?
  cat "$BATS_TEST_TMPDIR/log"
  equal "$status" 0
  not grep -q 'has not stopped in time' "$BATS_TEST_TMPDIR/log"
  none_left fore
}

@test "however often it is told to end: it ends when all is cleaned up" {
  local i pid
  for i in 1 2 3; do
    narthex run "${options[@]}" --name fore --private-network -- /bin/sh -c 'echo up; exec sleep 1000' \
      </dev/null >"$BATS_TEST_TMPDIR/log" 2>&1 3>&- &
    pid=$!
    poll 30 grep -q up "$BATS_TEST_TMPDIR/log"
    # its parent reaps it behind our back: a number that is gone is another's much later
    while kill -TERM "$pid" 2>/dev/null; do :; done
    none_left fore
  done
}

@test "the host's own tree, ephemeral, as in make demo" {
  local pid
  timeout 120 narthex run --root / --ephemeral --name self --private-network "${no_userns[@]}" \
    </dev/null >"$BATS_TEST_TMPDIR/log" 2>&1 3>&- &
  pid=$!
  /build/tests/knock first /run/narthex/self/root/var/lib/root-shell.socket $((60 * slow)) 'echo $((6*7))' 42 || {
    cat "$BATS_TEST_TMPDIR/log"
    false
  }
  [ ! -S /var/lib/root-shell.socket ]
  kill -TERM "$pid"
  wait "$pid" || true
  none_left self
}

# What a script would call is /bin/false meanwhile; mount, which makes it so, as the last one.
@test "no program of the host's is called" {
  local program covered=()
  for program in ip nft iptables sysctl modprobe systemctl sh umount mount; do
    ! program=$(command -v "$program") || covered+=("$(realpath "$program")")
  done
  run -0 timeout $((60 * ease)) unshare --mount bash -c '
    until [ "$1" = run ]; do
      mount --bind /bin/false "$1" || exit 99
      shift
    done
    ! /bin/sh -c true || exit 98
    exec narthex "$@"' - "${covered[@]}" run "${options[@]}" --private-network --host-address 10.30.1.1 --local-address 10.30.1.2 \
    -- cat /proc/net/dev
  matches "$output" 'eth0:'
}

@test "an interrupt on the terminal ends a command" {
  talk '
    spawn -noecho narthex run --root /var/lib/containers/tree --ephemeral -- sh -c "trap \"echo interrupted; exit 5\" INT; echo ready; while :; do :; done"
    need "ready"
    send "\x03"
    need "interrupted"
    need_eof
  '
}
