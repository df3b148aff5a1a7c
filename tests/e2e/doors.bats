#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The doors themselves: where they are, who may knock, what runs while nobody is inside.

load lib

setup_file() {
  guest_tree doors
  mkdir -p "$containers/doors/etc/systemd/system/narthex-agent.service.d"
  agent_options doors --idle-timeout=2 --max-sessions=60 --max-sessions-per-uid=50
  printf '[Service]\nEnvironment=TERM=vt220\n' >"$containers/doors/etc/systemd/system/narthex-agent.service.d/term.conf"
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

# The guest's journal entries with these fields, a line for each field.
journal_of() { # FIELD=VALUE…
  inside doors "journalctl --sync; journalctl -q -o export --no-pager $*"
}

has_entry() { # FIELD=VALUE…
  [ -n "$(journal_of "$@")" ]
}

has_fields() { # ENTRY REGEX…
  local field
  for field in "${@:2}"; do
    grep -qxE "$field" <<<"$1" || fail "no $field in: $1"
  done
}

@test "each session is in the guest's journal, with its fields" {
  # the numbers of narthex-agent(8)
  local opened=MESSAGE_ID=6b6f2b1f4c2f4f0ab27b7a1c4fe0d38a closed=MESSAGE_ID=e1c7f9d05ac34a0b9d1f2d6a8f4c7b52
  local entry id common peer=65534
  [ "$flavour" = userns ] || peer=0
  inside doors 'exit 77'
  inside doors 'kill -USR1 $$'
  # its client may be gone before it is written
  poll 20 has_entry "$closed" NARTHEX_EXIT_CODE=77
  poll 20 has_entry "$closed" NARTHEX_SIGNAL=10
  entry=$(journal_of "$closed" NARTHEX_EXIT_CODE=77)
  id=$(sed -n 's/^NARTHEX_SESSION=//p' <<<"$entry")
  common=(NARTHEX_DOOR=root-shell 'NARTHEX_SESSION=[0-9a-f]{16}' "NARTHEX_PEER_UID=$peer" NARTHEX_PEER_PID=0
    'NARTHEX_LEADER=[1-9][0-9]*' 'NARTHEX_PROGRAM=/bin/bash' PRIORITY=6 SYSLOG_IDENTIFIER=narthex-agent)
  has_fields "$entry" "${common[@]}" 'NARTHEX_DURATION_USEC=[1-9][0-9]*' \
    "MESSAGE=session $id closed at door root-shell after [0-9.]+ s: /bin/bash exited with status 77"
  entry=$(journal_of "$opened" "NARTHEX_SESSION=$id")
  has_fields "$entry" "${common[@]}" "MESSAGE=session $id opened at door root-shell by uid $peer, pid 0: /bin/bash"
  has_fields "$(journal_of "$closed" NARTHEX_SIGNAL=10)" 'MESSAGE=.* /bin/bash was killed by signal 10'
}

@test "the terminal is of the type that the agent's unit says" {
  talk "door=$(door doors root-login)" '
    knock $door
    need "# $"
    send "echo term=\$TERM.\r"
    need "term=vt220\\."
    send "exit\r"
    need_eof
  '
  talk "door=$(door doors login)" '
    knock $door
    need "login: $"
    send "alice\r"
    need "Password: "
    send "alicepw\r"
    need "\\$ $"
    send "echo term=\$TERM.\r"
    need "term=vt220\\."
    send "exit\r"
    need_eof
  '
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
