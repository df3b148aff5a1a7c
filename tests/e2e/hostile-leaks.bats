#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What a guest, a session or a program could have by inheritance or by mistake, and hasn't.

load lib

setup_file() {
  guest_up leak <<'END'
[Network]
Private=yes
END
  poll 30 narthex exec leak -- true
  # for commands without an init
  guest_tree leak-run busybox
}

teardown_file() {
  guests_remove_all
  rm -rf --one-file-system "$containers/leak-run"
}

userns() {
  [ "$flavour" = userns ]
}

# Sets $command to what runs a command in a container of the flavour.
command_prefix() {
  command=(narthex run --root "$containers/leak-run" --name leak-run)
  userns || command+=(--private-users=no)
}

run_command() { # OPTION… -- CMD…
  local command
  command_prefix
  timeout $((30 * ease)) "${command[@]}" "$@" </dev/null
}

# --- a container -------------------------------------------------------------------------------------------

@test "the container has a session keyring of its own; helpers gain no privileges, its init may" {
  local trace=$BATS_TEST_TMPDIR/trace init helper command
  command_prefix
  # leaks are looked for by ptrace, which strace has
  export ASAN_OPTIONS=detect_leaks=0
  # a file for each process: in a common one they cut each other's lines
  run strace -ff -o "$trace" -e trace=keyctl,prctl,execve "${command[@]}" --private-network --network-veth -- /bin/true </dev/null
  equal "$status" 0
  init=$(grep -lE 'execve\("/(bin/true|run/host/narthex/narthex-init)"' "$trace".* | head -n 1)
  helper=$(grep -lE 'execve\(".*narthex-network"' "$trace".*)
  [ -n "$init" ] && [ -n "$helper" ]
  # a new one, anonymous
  matches "$(grep keyctl "$init")" 'KEYCTL_JOIN_SESSION_KEYRING, NULL\) = [0-9]+'
  equal "$(grep -c PR_SET_NO_NEW_PRIVS "$init")" 0
  equal "$(grep -c PR_SET_NO_NEW_PRIVS "$helper")" 1
}

@test "a directory by the number of one of the launcher's descriptors is no way out" {
  local n outside=0
  for ((n = 3; n < 32; n++)); do
    run run_command --chdir "/proc/self/fd/$n" -- /bin/sh -c 'echo inside $(pwd -P)'
    case $status in
    125) [[ $output != *'outside of the container'* ]] || outside=$((outside + 1)) ;;
    0) matches "$output" 'inside /' ;;
    *) fail "fd $n: $status: $output" ;;
    esac
    run timeout $((30 * ease)) narthex exec -w "/proc/self/fd/$n" leak -- sh -c 'ls /src'
    [ "$status" != 0 ] || fail "exec, fd $n: $output"
  done
  # there are some, or this shows nothing
  [ "$outside" -gt 0 ]
}

@test "a /dev/null that is none masks nothing, and nothing starts" {
  local command
  command_prefix
  run unshare -m sh -c 'mount --make-rprivate / && mount --bind /dev/zero /dev/null && exec "$@"' sh "${command[@]}" -- /bin/true
  equal "$status" 125
  matches "$output" "cannot use the host's /dev/null as a mask"
  run_command -- /bin/true
}

@test "ids stay the same over restarts" {
  userns || return 0
  local before
  before=$(inside leak 'cat /proc/self/uid_map /proc/self/gid_map')
  guest_stop leak
  guest_up leak-other </dev/null
  guest_start leak
  poll 30 narthex exec leak -- true
  equal "$(inside leak 'cat /proc/self/uid_map /proc/self/gid_map')" "$before"
  guest_remove leak-other
}

@test "root that is the host's is warned of at each start" {
  run timeout $((30 * ease)) narthex run --root "$containers/leak-run" --name leak-run --private-users=no -- /bin/true </dev/null
  equal "$status" 0
  matches "$output" "PrivateUsers=no: root in container 'leak-run' is root of this host"
  userns || return 0
  run run_command -- /bin/true
  equal "$output" ''
}

@test "nobody of ours listens at an abstract address" {
  local abstract
  narthex exec leak -- true
  abstract=$(inside leak 'cat /proc/net/unix' | cat - /proc/net/unix | awk '$8 ~ /^@/ { print $8 }')
  [[ $abstract != *narthex* ]] || fail "$abstract"
  # and nobody without a name of a kind that could be seen
  equal "$(ss -xlpH | grep narthex | awk '$5 ~ /^@/')" ''
}

# --- a session ----------------------------------------------------------------------------------------------

# What a session at each door finds: its environment, its descriptors. (ls has one of its own.)
look='env; ls /proc/self/fd | tr "\n" " "; echo; exit'

sessions_find() { # DOOR
  case $1 in
  exec) timeout $((30 * ease)) narthex exec leak -- sh -c "$look" ;;
  exec-t) timeout $((30 * ease)) narthex exec -t leak -- sh -c "$look" </dev/null ;;
  shell) timeout $((30 * ease)) narthex shell leak <<<"$look" ;;
  root-shell) inside leak "$look" ;;
  root-login) echo "$look" | timeout $((30 * ease)) socat -t 20 - "unix:$(door leak root-login)" ;;
  esac
}

@test "nothing of a session, nor of who started it, is in another: variables, descriptors" {
  local where pid
  export SECRET_OF_THE_CALLER=1
  narthex exec -e SECRET_OF_ONE=1 leak -- true
  narthex exec -e SECRET_OF_ONE=1 -w /nowhere leak -- true || true
  narthex exec -e SECRET_OF_ONE=1 --detach leak -- tail -f /dev/null
  exec {held}</etc/passwd
  for where in exec exec-t shell root-shell root-login; do
    run sessions_find $where
    [[ $output == *PATH=* ]] || fail "$where: $output"
    [[ $output != *SECRET* ]] || fail "$where: $output"
    matches "$output" '0 1 2 3 '
    [[ $output != *'0 1 2 3 4'* ]] || fail "$where: $output"
  done
  exec {held}<&-
  for pid in $(agent_pids leak); do
    [[ $(tr '\0' '\n' <"/proc/$pid/environ") != *SECRET* ]]
  done
  # it was there
  equal "$(guest_count leak 'tail -f /dev/null')" 1
  inside leak 'for p in /proc/[0-9]*; do grep -qs ^tail $p/cmdline && kill ${p#/proc/}; done'
}

# Octal O_NONBLOCK among the flags of its standard descriptors.
standard_flags='for f in 0 1 2; do sed -n "s/^flags:[^0-9]*//p" /proc/self/fdinfo/$f; done'

@test "no descriptor that is shared is made nonblocking, there and here" {
  local command f
  for command in "narthex exec leak -- sh -c '$standard_flags'" "narthex exec -t leak -- sh -c '$standard_flags' </dev/null" \
    "run_command -- sh -c '$standard_flags'"; do
    run eval "$command"
    equal "$status" 0
    [ "$(wc -l <<<"$output")" -ge 3 ]
    for f in ${output//$'\r'/}; do
      [[ $f =~ ^[0-7]+$ ]] || continue
      equal "$((8#$f & 04000))" 0
    done
    # the same of this shell's own, which it has lent
    exec {mine}<>"$BATS_TEST_TMPDIR/mine"
    eval "$command" >/dev/null 2>&1 0<&$mine
    f=$(sed -n 's/^flags:[^0-9]*//p' "/proc/$$/fdinfo/$mine")
    equal "$((8#$f & 04000))" 0
    exec {mine}<&-
  done
}
