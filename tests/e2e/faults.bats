#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# A system call of a start fails, or is the end of whoever makes it: nothing is left, and the next start works. Here some of
# them; `make faults` takes all.

load lib

setup_file() {
  guest_tree faults busybox
}

# After those that count the launchers of the host.
agent_guest() {
  [ -e "$conf_dir/faulty.conf" ] || agent_faults_guest
}

setup() {
  [ -z "$san" ] || skip "most calls of a program with sanitizers are theirs, and they don't bear it when one fails"
}

teardown_file() {
  guests_remove_all
  rm -rf --one-file-system "${containers:?}/faults"
}

# Other steps in the other flavour.
first() {
  [ "$flavour" = userns ] && echo 11 || echo 31
}

@test "a call of the launcher, the builder, the leader or narthex-network fails: the start does, too, or goes on" {
  "$BATS_TEST_DIRNAME/faults" P ENOMEM 67 "$(first)"
  "$BATS_TEST_DIRNAME/faults" H ENOMEM 199 "$(first)"
  "$BATS_TEST_DIRNAME/faults" C ENOMEM 53 "$(first)"
  "$BATS_TEST_DIRNAME/faults" N ENOMEM 127 "$(first)"
  # these said nothing: who couldn't hear of the leader, and who got no network namespace (HELPER_FD)
  "$BATS_TEST_DIRNAME/faults" H EIO read:1
  "$BATS_TEST_DIRNAME/faults" N ENOMEM recvmsg:1@3
  # and this left a directory: of the launcher's it is the second
  "$BATS_TEST_DIRNAME/faults" P EPERM fchmod:2
}

@test "the launcher, the builder, the leader or narthex-network is killed at a call: nothing is left" {
  "$BATS_TEST_DIRNAME/faults" P kill 149 "$(first)"
  "$BATS_TEST_DIRNAME/faults" H kill 199 "$(first)"
  "$BATS_TEST_DIRNAME/faults" C kill 53 "$(first)"
  "$BATS_TEST_DIRNAME/faults" N kill 127 "$(first)"
}

@test "a call of the agent fails: each door's session goes on or its client is told, the next ones work" {
  agent_guest
  "$BATS_TEST_DIRNAME/agent-faults" P fit 61 $((540 + $(first))) 5
}

@test "no process can be made: each door says so, and serves when there are some again" {
  agent_guest
  "$BATS_TEST_DIRNAME/agent-faults" P EAGAIN clone3
}

@test "a kernel that is short of memory for a moment ends no session, and nothing is lost" {
  agent_guest
  run -0 "$BATS_TEST_DIRNAME/agent-faults" P ENOMEM splice:1 splice:2 recvmsg:1 sendto:1 sendto:2
  equal "$output" 'agent P ENOMEM: 5 agents with a fault'
}

# False: it is the old one still. Each command is a few turns of its loop; the last may get no answer.
another_agent() { # OLD-PIDS
  narthex exec faulty -- true 3>&-
  [ "$(agent_pids faulty)" != "$1" ] && narthex exec faulty -- true 3>&-
}

@test "an agent whose event loop fails leaves its sessions to the next one" {
  local run_dir out=$BATS_TEST_TMPDIR old client
  agent_guest
  run_dir=/proc/$(guest_leader faulty)/root/run
  poll 20 no_agent_in faulty
  rm -f "$run_dir/agent.err"
  echo 'P epoll_wait:80 EBADF' >"$run_dir/fault"
  mkfifo "$out/in" "$out/in-login"
  timeout $((60 * ease)) narthex exec faulty -- sh -c 'echo up; read -r x; echo "got $x"; exit 7' <"$out/in" >"$out/exec" 2>&1 3>&- &
  client=$!
  timeout $((60 * ease)) socat - "unix:$(door faulty root-login)" <"$out/in-login" >"$out/login" 2>&1 3>&- &
  exec 8>"$out/in" 9>"$out/in-login"
  echo 'echo u""p' >&9
  poll 20 grep -q up "$out/exec"
  poll 20 grep -q up "$out/login"
  old=$(agent_pids faulty)
  poll 20 another_agent "$old"
  grep -q 'event loop failed' "$run_dir/agent.err"
  echo there >&8
  echo 'echo th""ere; exit' >&9
  exec 8>&- 9>&-
  poll 20 grep -q 'got there' "$out/exec"
  poll 20 grep -q there "$out/login"
  # not by run: a subshell can't wait for it
  wait "$client" && status=0 || status=$?
  equal "$status" 7
}
