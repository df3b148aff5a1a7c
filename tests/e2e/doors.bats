#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The doors themselves: where they are, who may knock, what runs while nobody is inside.

load lib

setup_file() {
  guest_tree doors
  mkdir -p "$containers/doors/etc/systemd/system/narthex-agent.service.d"
  agent_options doors --idle-timeout=2 --max-sessions=60 --max-sessions-per-uid=50
  guest_conf doors </dev/null
  guest_start doors
}

teardown_file() {
  guests_remove_all
}

# What an administrator would put into a drop-in of the guest.
agent_options() { # NAME OPTION…
  local name=$1
  shift
  printf '[Service]\nExecStart=\nExecStart=/run/host/narthex/narthex-agent %s\n' "$*" \
    >"$containers/$name/etc/systemd/system/narthex-agent.service.d/options.conf"
}

@test "each door is at its path with its mode" {
  local d mode
  for d in login:666 root-login:600 root-shell:600; do
    mode=$(stat -c %F:%a "$(door doors "${d%:*}")")
    equal "$mode" "socket:${d#*:}"
  done
}

@test "each door is in the doors' directory, which is nosuid, nodev and noexec" {
  local d options
  for d in login:666 root-login:600 root-shell:600; do
    equal "$(stat -c %F:%a "/run/narthex/doors/doors/${d%:*}.socket")" "socket:${d#*:}"
  done
  options=$(findmnt -no OPTIONS --target /run/narthex/doors/doors)
  for d in nosuid nodev noexec; do
    matches ",$options," ",$d,"
  done
}

@test "a host user without root reaches the login door, and no other" {
  run runuser -u nobody -- timeout $((30 * ease)) bash -c \
    'exec 4< <(exec socat -u unix:/run/narthex/doors/doors/login.socket -); head -c 20 <&4; kill $!'
  equal "$status" 0
  matches "$output" 'Debian'
  run runuser -u nobody -- socat -u /dev/null unix:/run/narthex/doors/doors/root-shell.socket
  matches "$output" 'Permission denied'
  run runuser -u nobody -- socat -u /dev/null unix:/run/narthex/doors/doors/root-login.socket
  matches "$output" 'Permission denied'
}

@test "a host user without root can't look into the guest's tree" {
  run runuser -u nobody -- ls "$containers/doors"
  [ "$status" -ne 0 ]
  run runuser -u nobody -- ls /run/narthex/doors/root/
  [ "$status" -ne 0 ]
}

@test "no process of ours while nobody is inside, and the next knock is answered" {
  equal "$(inside doors 'echo first')" first
  poll 20 no_agent
  equal "$(inside doors 'echo second')" second
  poll 20 no_agent
}

no_agent() {
  [ -z "$(agent_pids doors)" ]
}

@test "past the limit of sessions a client gets one line that says so" {
  local i fds=() fd line
  for ((i = 0; i < 50; i++)); do
    coproc_open fd "$(door doors root-shell)"
    fds+=("$fd")
  done
  run timeout $((20 * ease)) socat -u "unix:$(door doors root-shell)" -
  matches "$output" 'too many|limit'
  equal "${#lines[@]}" 1
  for fd in "${fds[@]}"; do
    exec {fd}>&-
  done
  sessions_end
  # and when they are gone there is room again
  poll 20 answers
}

answers() {
  [ "$(inside doors 'echo room')" = room ]
}

# A client that stays until its descriptor is closed.
coproc_open() { # VARIABLE PATH
  local fifo
  fifo=$(mktemp -u "$BATS_TEST_TMPDIR/fifo.XXXXXX")
  mkfifo "$fifo"
  socat -t 0.1 - "unix:$2" <"$fifo" >"$fifo.out" 2>&1 3>&- &
  echo $! >>"$BATS_TEST_TMPDIR/clients"
  exec {new_fd}>"$fifo"
  printf 'echo here\n' >&"$new_fd"
  poll 20 grep -q here "$fifo.out"
  printf -v "$1" %s "$new_fd"
}

sessions_end() {
  local pid
  while read -r pid; do
    poll 20 not kill -0 "$pid"
  done <"$BATS_TEST_TMPDIR/clients"
}

@test "each session is in the guest's journal, with its fields" {
  local entry
  inside doors 'true'
  entry=$(inside doors 'journalctl --sync; journalctl -o json -n 40 --no-pager -t narthex-agent')
  matches "$entry" '"MESSAGE_ID":"[0-9a-f]{32}"'
  matches "$entry" 'root-shell'
}

@test "a killed agent is started again by the next knock" {
  local pids client
  # while somebody is inside it doesn't leave by itself
  coproc_open client "$(door doors root-shell)"
  pids=$(agent_pids doors)
  [ -n "$pids" ]
  kill -KILL $pids
  equal "$(inside doors 'echo two')" two
  exec {client}>&-
}

@test "a stranger's bytes at every door hurt nobody" {
  local d
  for d in login root-login root-shell; do
    head -c 100000 /dev/urandom | timeout 30 socat -t 0.1 -u - "unix:$(door doors $d)" || true
  done
  equal "$(inside doors 'echo alive')" alive
}
