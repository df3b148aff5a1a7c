#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What a guest, or a user of the host, does to use everything up: processes, console, doors, a door's directory. The host and
# the guest next door stay well meanwhile, the agent's memory stays small, and afterwards all is as before.
#
# NARTHEX_ABUSE_MIB (10240 for the whole of it) and NARTHEX_ABUSE_KNOCKS (100000) say how much; docs/hostile.md has what that showed.

load lib

peer=/usr/local/bin/peer
doors=/run/narthex/loud/doors
door_mib=${NARTHEX_ABUSE_MIB:-1024}
console_mib=${NARTHEX_ABUSE_MIB:-128}
knocks=${NARTHEX_ABUSE_KNOCKS:-1100}
# the agent's, at any time
max_kib=16384
# a whole run takes its time
patience=$((150 * slow + door_mib / 5 + knocks / 50))
export BATS_TEST_TIMEOUT=$((patience + 30))

setup_file() {
  guest_tree loud
  cp /build/tests/peer "$containers/loud$peer"
  guest_conf loud <<'END'
[Service]
TasksMax=400
END
  guest_start loud
  guest_up calm busybox </dev/null
  poll 30 narthex exec loud -- true
}

teardown_file() {
  guests_remove_all
  unlimit_tasks
}

teardown() {
  local pid
  explain_failure
  for pid in $(cat "$BATS_TEST_TMPDIR/pids" 2>/dev/null); do
    kill -CONT "$pid" 2>/dev/null || true
    kill "$pid" 2>/dev/null || true
  done
}

# What runs in the background ends with the test at the latest.
ends_with_test() { # PID
  echo "$1" >>"$BATS_TEST_TMPDIR/pids"
}

# The host answers, and so does the other guest.
others_are_well() {
  run timeout $((30 * ease)) narthex list
  equal "$status" 0
  matches "$output" 'calm'
  matches "$output" 'loud'
  equal "$(echo 'echo $((6 * 7))' | timeout $((30 * ease)) socat -t 20 - "unix:$(door calm root-shell)")" 42
}

loud_serves() {
  equal "$(timeout $((30 * ease)) narthex exec loud -- echo here)" here
}

agents_are_small() {
  memory_below loud $max_kib
}

# --- output -----------------------------------------------------------------------------------------------

# What the only head that is running in the guest has written so far.
written() {
  local pid
  for pid in $(guest_pids loud); do
    [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = head ] && grep -Po '^wchar: \K.*' "/proc/$pid/io" && return
  done
  return 1
}

# It has begun to write, and writes no more: the same twice, with a round of other things in between.
writer_waits() {
  local before
  before=$(written) && [ "$before" -gt 0 ] && others_are_well && equal "$(written)" "$before"
}

@test "a command without end whose reader has stopped: it waits, and nobody keeps what it says" {
  local pid out=$BATS_TEST_TMPDIR/out
  mkfifo "$out"
  timeout $patience narthex exec loud -- head -c "${door_mib}M" /dev/zero >"$out" 3>&- &
  pid=$!
  ends_with_test $pid
  exec {reader}<"$out"
  poll 30 writer_waits
  [ "$(written)" -lt 4194304 ] || fail "$(written) bytes are somewhere"
  agents_are_small
  loud_serves
  equal "$(cat <&$reader | wc -c)" $((door_mib * 1048576))
  exec {reader}<&-
  wait $pid
  agents_are_small
}

@test "a terminal without end whose reader has stopped: the same" {
  local out=$BATS_TEST_TMPDIR/out go=$BATS_TEST_TMPDIR/go pid
  mkfifo "$go"
  timeout $patience /build/tests/knock deaf "$(door loud root-login)" 1000000 \
    "stty raw -echo; head -c ${door_mib}M /dev/zero; exit" <"$go" >"$out" 3>&- &
  pid=$!
  ends_with_test $pid
  exec {hold}>"$go"
  poll 30 grep -q deaf "$out"
  poll 30 writer_waits
  [ "$(written)" -lt 5242880 ] || fail "$(written) bytes are somewhere"
  agents_are_small
  loud_serves
  echo go >&$hold
  exec {hold}>&-
  wait $pid
  # and what the shell said besides
  [ "$(tail -n 1 "$out")" -ge $((door_mib * 1048576)) ]
  agents_are_small
}

# Or is done with it.
floods() { # PID
  written || ! kill -0 "$1"
}

console_heard() { # TEXT
  journalctl --no-pager -q -o cat -u container-loud | grep -q "$1"
}

@test "a console that is flooded: the launcher keeps nothing, and the journal is the host's to limit" {
  local pid before after
  before=$(awk '/^RssAnon/ { print $2 }' "/proc/$(launcher_pid loud)/status")
  timeout $patience narthex exec loud -- \
    sh -c "yes 0123456789012345678901234567890123456789012345678901234567890123456789 | head -c ${console_mib}M >/dev/console" 3>&- &
  pid=$!
  ends_with_test $pid
  poll 20 floods $pid
  others_are_well
  loud_serves
  wait $pid
  after=$(awk '/^RssAnon/ { print $2 }' "/proc/$(launcher_pid loud)/status")
  echo "launcher: $before KiB before, $after KiB after"
  [ -n "$san" ] || [ "$after" -lt $((before + 512)) ]
  others_are_well
  # the journal has had enough for half a minute: then it listens again
  inside loud 'while [ ! -e /root/heard ]; do echo still there >/dev/console; read -rt 1 <> <(:); done' 3>&- &
  pid=$!
  ends_with_test $pid
  poll 60 console_heard 'still there'
  touch "$containers/loud/root/heard"
  wait $pid
}

launcher_fds() {
  find "/proc/$(launcher_pid loud)/fd" -mindepth 1 | wc -l
}

no_more_fds() { # N: who has asked it may not have closed yet
  [ "$(launcher_fds)" -le "$1" ]
}

launcher_facts() { # status, and who the host's systemd takes for the launcher
  systemctl show -P StatusText -P MainPID -P SubState container-loud
}

@test "a flood at the socket for READY=1: the launcher serves all others, and keeps nothing of it" {
  local before after facts fds pids=()
  facts=$(launcher_facts)
  fds=$(launcher_fds)
  before=$(awk '/^RssAnon/ { print $2 }' "/proc/$(launcher_pid loud)/status")
  for _ in 1 2; do
    timeout $((60 * ease)) narthex exec loud -- $peer flood /run/host/notify 3 >>"$BATS_TEST_TMPDIR/sent" 3>&- &
    ends_with_test $!
    pids+=($!)
  done
  others_are_well
  loud_serves
  timeout $((30 * ease)) narthex status loud
  wait "${pids[@]}"
  # it took part of it, so it was listening
  matches "$(cat "$BATS_TEST_TMPDIR/sent")" 'sent [1-9][0-9]{2}'
  after=$(awk '/^RssAnon/ { print $2 }' "/proc/$(launcher_pid loud)/status")
  [ -n "$san" ] || [ "$after" -lt $((before + 512)) ] || fail "$before KiB before, $after KiB after"
  equal "$(launcher_facts)" "$facts"
  poll 20 no_more_fds "$fds"
}

# --- doors -----------------------------------------------------------------------------------------------

@test "many knocks on each door by clients that are gone at once" {
  local d pid
  for d in exec root-shell root-login login; do
    timeout $patience /build/tests/knock storm "$(door loud $d)" "$knocks" 3>&- &
    pid=$!
    ends_with_test $pid
    others_are_well
    wait $pid
    others_are_well
    # the sessions of those who are gone end within seconds
    poll 30 loud_serves
    agents_are_small
  done
  poll 60 nobody_inside
}

# All that the storm has started is gone.
nobody_inside() {
  equal "$(guest_count loud agetty)" 1 && equal "$(guest_count loud '^-bash')" 0
}

hold() { # DOOR COUNT [USER]
  local out=$BATS_TEST_TMPDIR/hold-$1 go=$BATS_TEST_TMPDIR/go-$1
  mkfifo "$go"
  runuser -u "${3:-root}" -- bash -c 'ulimit -n 4096; exec /build/tests/knock hold "$@"' - "$doors/$1.socket" "$2" <"$go" >"$out" 3>&- &
  ends_with_test $!
  exec {holding}>"$go"
  poll 60 grep -q holding "$out"
}

@test "clients that come in and say nothing: a user of the host can't lock root out" {
  # all that are let in, and some
  hold login 1100 nobody
  # the next one, behind all of them, is told
  run timeout $((60 * ease)) runuser -u nobody -- socat -u "unix:$doors/login.socket" -
  matches "$output" 'too many sessions of one user \(limit [0-9]+\)'
  loud_serves
  equal "$(inside loud 'echo here')" here
  others_are_well
  agents_are_small
  exec {holding}>&-
  poll 60 nobody_inside
  loud_serves
}

@test "clients that knock at the exec door and send nothing are shown out" {
  local status
  hold exec 1100
  run timeout $((30 * ease)) narthex exec loud -- true
  # in the meantime there is no room, or there is already: but an answer there is
  [ "$status" = 0 ] || { equal "$status" 125 && matches "$output" 'too many sessions'; }
  others_are_well
  agents_are_small
  poll 40 loud_serves
  exec {holding}>&-
}

@test "a full directory of doors" {
  local pid
  equal "$(narthex exec loud -- $peer fill /run/host/narthex/doors)" full
  # it is the guest's, but it is small
  [ "$(du -ks "$doors" | cut -f1)" -le 1024 ]
  loud_serves
  equal "$(inside loud 'echo here')" here
  others_are_well
  # a new agent, which can't write down who is inside
  for pid in $(agent_pids loud); do
    kill -KILL "$pid" || true
  done
  poll 30 loud_serves
  equal "$(timeout $((30 * ease)) narthex status loud --json | grep -c '"name":"loud"')" 1
  guest_stop loud
  guest_start loud
  poll 30 loud_serves
}

# --- processes --------------------------------------------------------------------------------------------

more_than() { # N: processes
  [ "$(guest_pids loud | wc -l)" -gt "$1" ]
}

@test "a guest in which nothing can fork says so at its doors" {
  # the host's root has no limit of this kind, and without a user namespace that is the guest's, too
  [ "$flavour" = userns ] || return 0
  loud_serves
  prlimit --pid "$(agent_pids loud)" --nproc=1:1
  run timeout $((30 * ease)) narthex exec loud -- true
  equal "$status" 125
  matches "$output" 'lacks resources.*Resource temporarily unavailable'
  run inside loud 'echo here'
  matches "$output" 'cannot create a process: Resource temporarily unavailable'
  others_are_well
  kill -KILL "$(agent_pids loud)"
  poll 30 loud_serves
}

# The other hierarchy is the machine's, with other test hosts beside this one.
pids_dir=/run/pids-controller
limited=$pids_dir/$(hostname)-loud

# All that is in the unit is there, too; what they start is born there.
all_limited() {
  local pid
  for pid in $(guest_pids loud); do
    echo "$pid" >"$limited/cgroup.procs" 2>/dev/null || true
  done
  [ -z "$(comm -13 <(sort "$limited/cgroup.procs") <(guest_pids loud | sort))" ]
}

# Whether TasksMax= is felt. Where the controller is in another hierarchy systemd can't use it, and it is used here.
limit_tasks() {
  local cgroup
  cgroup=/sys/fs/cgroup$(systemctl show -P ControlGroup container-loud)
  if [ -e "$cgroup/pids.max" ]; then
    equal "$(cat "$cgroup/pids.max")" 400
    felt=yes
  elif mkdir $pids_dir && mount -t cgroup -o pids pids $pids_dir 2>/dev/null; then
    mkdir "$limited"
    echo 400 >"$limited/pids.max"
    poll 30 all_limited
    felt=yes
  fi
}

unlimit_tasks() {
  [ ! -e "$limited" ] || poll 30 rmdir "$limited"
  ! mountpoint -q $pids_dir || umount $pids_dir
  [ ! -e $pids_dir ] || rmdir $pids_dir
}

no_way_in() {
  run timeout $((20 * ease)) narthex exec loud -- echo here
  [ "$status" = 125 ] && [[ $output =~ lacks\ resources ]]
}

@test "a fork bomb under TasksMax" {
  local felt=no
  equal "$(systemctl show -P TasksMax container-loud)" 400
  limit_tasks
  # where there is no such controller at all the bomb ends by itself
  narthex exec --detach loud -- $peer bomb 2000
  poll 60 more_than 350
  others_are_well
  # a way in while there is one, then a word: never silence
  if [ $felt = yes ]; then
    poll 60 no_way_in
    not more_than 400
  else
    loud_serves
  fi
  agents_are_small
  timeout $((60 * ease)) narthex kill loud
  poll 30 not systemctl is-active container-loud
  unlimit_tasks
  others_are_well
  guest_start loud
  poll 30 loud_serves
}
