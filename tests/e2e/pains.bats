#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What users of other ways into containers have suffered from, and no other file shows. docs/testing.md has the whole list.

load lib

setup_file() {
  export BATS_TEST_TIMEOUT=600
  guest_up hurt server </dev/null
  poll 30 narthex exec hurt -- true
}

teardown_file() {
  guests_remove_all
}

# narthex exec in the file's container, with a deadline.
hurt() { # ARGUMENT…
  timeout $((100 * ease)) narthex exec hurt "$@"
}

# --- output and input ------------------------------------------------------------------------------------------

# lxc#4546
@test "heavy output on four terminals at once, to slow readers, comes out whole" {
  local i pids=() want
  want=$(seq 200000 | sha256sum)
  for i in 1 2 3 4; do
    timeout $((100 * ease)) socat -u EXEC:'narthex exec -t hurt -- seq 200000',pty,setsid,ctty,rawer - 2>/dev/null 3>&- |
      dd bs=700 2>/dev/null | tr -d '\r' | sha256sum >"$BATS_TEST_TMPDIR/$i" &
    pids+=($!)
  done
  wait "${pids[@]}"
  for i in 1 2 3 4; do
    equal "$(cat "$BATS_TEST_TMPDIR/$i")" "$want"
  done
}

# lxc#4546, the other way
@test "a long text that is pasted while the terminal is busy arrives whole" {
  local text want
  text=$(seq 20000)
  want=$(printf '%s\n' "$text" | sha256sum | cut -c1-40)
  talk text="$text" length="$(printf '%s\n' "$text" | wc -c)" want="$want" 'spawn -noecho narthex exec -t hurt -- bash -c {stty raw -echo; seq 100000 & echo ready; head -c $0 | sha256sum; wait} $length
    match_max 10000
    need ready
    send -- "$text\n"
    need $want; need_eof'
}

# crun#1623
@test "a caller who stops reading stops his command, not the one beside it; then he gets all" {
  local first second fd
  mkfifo "$BATS_TEST_TMPDIR/fifo"
  hurt -- seq 1000000 >"$BATS_TEST_TMPDIR/fifo" 3>&- &
  exec {fd}<"$BATS_TEST_TMPDIR/fifo"
  read -r first <&"$fd"
  equal "$(hurt -- seq 300000 | tail -n 1)" 300000
  equal "$(hurt -t -- echo beside </dev/null | tr -d '\r')" beside
  second=$(tail -n 1 <&"$fd")
  exec {fd}<&-
  equal "$first $second" '1 1000000'
}

# --- leaks -----------------------------------------------------------------------------------------------------

# What the agent, the launcher and the guest have of what could grow; the agent's memory comes last.
footprint() {
  local pid fds=0 memory=0
  for pid in $(agent_pids hurt); do
    fds=$(find "/proc/$pid/fd" -mindepth 1 2>/dev/null | wc -l)
    memory=$(awk '/^RssAnon/ { print $2 }' "/proc/$pid/status")
  done
  echo "fds $fds, launcher $(find "/proc/$(launcher_pid hurt)/fd" -mindepth 1 | wc -l)," \
    "ptys $(find "/proc/$(guest_leader hurt)/root/dev/pts" -mindepth 1 | wc -l), processes $(guest_pids hurt | wc -l)," \
    "cgroups $(find "/sys/fs/cgroup$(systemctl show -P ControlGroup container-hurt)" -type d | wc -l), zombies $(zombies)," \
    "memory $memory"
}

# Of the agent, the guest's init and the launcher. A cgroup doesn't list them.
zombies() {
  local pids
  pids=$(agent_pids hurt | tr '\n' ',')
  pgrep -c -r Z -P "$pids$(guest_leader hurt),$(launcher_pid hurt)" || true
}

nothing_but_memory_grew() { # FOOTPRINT
  no_more "${1%, memory*}" "$(footprint | sed 's/, memory.*//')"
}

# podman#15377, lxd#6870, moby#9994
@test "10,000 commands in a row, then 500 on terminals: no descriptor, pty, process, cgroup or memory more" {
  # once is enough for the number
  local before after agent holder i hold=$BATS_TEST_TMPDIR/hold n=$(($([ "$flavour" = userns ] && echo 10000 || echo 1000) / slow))
  # who is inside keeps the agent, which would leave and have nothing
  mkfifo "$hold"
  narthex exec hurt -- cat <"$hold" >"$hold.out" 3>&- &
  holder=$!
  exec {keep}>"$hold"
  echo here >&"$keep"
  poll 20 grep -q here "$hold.out"
  for ((i = 0; i < 100; i++)); do
    narthex exec hurt -- /bin/true
    narthex exec -t hurt -- /bin/true </dev/null
  done
  # commands of a moment ago, and systemd's own
  poll 20 equal_count hurt '^/bin/true' 0
  before=$(footprint)
  agent=$(agent_pids hurt)
  for ((i = 0; i < n; i++)); do
    narthex exec hurt -- /bin/true || fail "command $i"
  done
  for ((i = 0; i < 500 / slow; i++)); do
    narthex exec -t hurt -- /bin/true </dev/null || fail "terminal $i"
  done
  poll 20 nothing_but_memory_grew "$before"
  after=$(footprint)
  echo "before: $before; after: $after"
  # the sanitizer's quarantine grows by design
  [ -n "$san" ] || [ $((${after##* } - ${before##* })) -le 256 ] || fail "before: $before; after: $after"
  equal "$(agent_pids hurt)" "$agent"
  exec {keep}>&-
  wait "$holder"
}

# --- terminals -------------------------------------------------------------------------------------------------

# moby#35407, runc#1269
@test "the very first thing that runs on a terminal sees its size, fifty times" {
  talk 'spawn -noecho sh -c {stty rows 33 cols 101; for i in $(seq 50); do narthex exec -t hurt -- stty size; done; echo done}
    for {set i 0} {$i < 50} {incr i} { need "33 101" }
    need {^\s*done}; need_eof'
}

# --- latency ---------------------------------------------------------------------------------------------------

dbus_is() { # STATE
  hurt -- sh -c 'for p in /proc/[0-9]*; do grep -qsx dbus-daemon $p/comm && grep -q "^State:.*'"$1"'" $p/status; done'
}

# systemd#18598, nixpkgs#30348
@test "a guest whose D-Bus answers nobody, which keeps PAM for 25 s, keeps no command and no shell of root's" {
  hurt -- systemctl start dbus
  hurt -- pkill -STOP dbus-daemon 2>/dev/null || hurt -- systemctl kill --kill-who=all -s STOP dbus.service
  SECONDS=0
  timeout $((60 * slow)) narthex exec hurt -- true
  timeout $((60 * slow)) narthex exec hurt -u alice -- true
  equal "$(timeout $((60 * slow)) narthex shell hurt <<<'id -u')" 0
  equal "$(inside hurt 'id -u')" 0
  local took=$SECONDS
  hurt -- pkill -CONT dbus-daemon 2>/dev/null || hurt -- systemctl kill --kill-who=all -s CONT dbus.service
  [ "$took" -lt $((20 * ease)) ] || fail "took $took s"
}

# podman#26588
@test "commands don't wait for one another: fifty that end only when all of them run" {
  local i pids=()
  hurt -- mkdir /root/together
  for i in $(seq 50); do
    hurt -- sh -c "touch /root/together/$i; until [ \$(ls /root/together | wc -l) = 50 ]; do sleep 0.1; done" </dev/null 3>&- &
    pids+=($!)
  done
  for i in "${pids[@]}"; do
    wait "$i"
  done
}

# --- the launcher ----------------------------------------------------------------------------------------------

# nixpkgs#550825, systemd#19308. As an interactive shell's, their programs ignore TERM; they have the hangup.
@test "sessions are in the container's own cgroups, and hold up no stop" {
  local i pids=() pid unit since
  unit=$(systemctl show -P ControlGroup container-hurt)
  for i in 1 2; do
    timeout 100 narthex exec hurt -- sh -c 'trap : TERM INT; echo ready; while :; do tail -n 88 -f /dev/null & wait $!; done' \
      </dev/null >"$BATS_TEST_TMPDIR/$i" 2>&1 3>&- &
    pids+=($!)
    timeout 100 narthex exec -t hurt -- sh -c 'trap : TERM INT; echo ready; while :; do tail -n 88 -f /dev/null & wait $!; done' \
      </dev/null >"$BATS_TEST_TMPDIR/t$i" 2>&1 3>&- &
    pids+=($!)
  done
  for i in 1 2 t1 t2; do
    poll 20 grep -q ready "$BATS_TEST_TMPDIR/$i"
  done
  poll 20 equal_count hurt '^tail -n 88' 4
  for pid in $(pgrep -f '^tail -n 88'); do
    matches "$(cat "/proc/$pid/cgroup")" "$unit/payload/narthex.slice/narthex-sessions.slice/"
  done
  since=$(date +%s)
  guest_stop hurt
  # its init was through with all of them: the launcher had nothing to kill
  not grep 'has not stopped in time' <<<"$(log_of hurt --since="@$since")"
  for pid in "${pids[@]}"; do
    wait "$pid" || true
  done
  none_left hurt
  equal "$(systemctl show -P Result container-hurt)" success
}
