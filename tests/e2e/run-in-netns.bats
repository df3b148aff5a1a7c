#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# run-in-netns, side by side with ip netns exec.

load lib

setup_file() {
  ip netns add nx-test
  ip -n nx-test link add nx-only type veth peer name nx-peer
  mkdir -p /etc/netns/nx-test
  # a file of our own: a minimal host may have no resolv.conf to bind to
  echo outside >/etc/nx-test.conf
  echo inside >/etc/netns/nx-test/nx-test.conf
  touch /run/netns/nx-none
}

teardown_file() {
  rm -rf /etc/netns/nx-test /run/netns/nx-none /etc/nx-test.conf
  rmdir /etc/netns 2>/dev/null || true
  ip netns del nx-test
}

# Runs both with the same arguments; stdout, stderr and status must be the same.
same_as_ip() { # STATUS ARG…
  local wanted=$1 tmp=$BATS_TEST_TMPDIR theirs=0 ours=0
  shift
  timeout 60 ip netns exec "$@" >"$tmp/o1" 2>"$tmp/e1" </dev/null || theirs=$?
  timeout 60 run-in-netns "$@" >"$tmp/o2" 2>"$tmp/e2" </dev/null || ours=$?
  diff "$tmp/o1" "$tmp/o2"
  diff "$tmp/e1" "$tmp/e2"
  equal "$ours" "$theirs"
  equal "$ours" "$wanted"
}

@test "a command's status is passed on" {
  same_as_ip 0 nx-test true
  same_as_ip 7 nx-test sh -c 'exit 7'
  same_as_ip 137 nx-test sh -c 'kill -9 $$'
  same_as_ip 0 nx-test sh -c 'echo out; echo err >&2'
}

@test "errors have the same words and status" {
  same_as_ip 1
  same_as_ip 1 nx-test
  same_as_ip 255 no-such-netns true
  same_as_ip 255 '' true
  same_as_ip 255 . true
  same_as_ip 255 .. true
  same_as_ip 255 nx-none true
  same_as_ip 1 nx-test no-such-command
  same_as_ip 1 nx-test /etc
  same_as_ip 1 nx-test /etc/passwd
}

@test "without privileges the error is the same" {
  local as_nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)
  run "${as_nobody[@]}" ip netns exec nx-test true
  local theirs="$status $output"
  run "${as_nobody[@]}" run-in-netns nx-test true
  equal "$status $output" "$theirs"
  matches "$output" 'Operation not permitted'
}

@test "the namespace, its /sys and its /etc are there" {
  same_as_ip 0 nx-test readlink /proc/self/ns/net
  same_as_ip 0 nx-test ls /sys/class/net
  same_as_ip 0 nx-test cat /etc/nx-test.conf
  same_as_ip 0 nx-test findmnt -no SOURCE,FSTYPE,OPTIONS /sys
  matches "$(run-in-netns nx-test ls /sys/class/net)" 'nx-only'
  equal "$(run-in-netns nx-test cat /etc/nx-test.conf)" inside
}

@test "a file that can't be bound is a message, no failure" {
  touch /etc/netns/nx-test/no-such-file-in-etc
  same_as_ip 0 nx-test true
  rm /etc/netns/nx-test/no-such-file-in-etc
}

@test "/sys/fs/cgroup is what it was, with everything below" {
  # shellcheck disable=SC2016
  local mounts='$5 ~ "^/sys/fs/cgroup" { sub(".* - ", ""); print }'
  equal "$(run-in-netns nx-test ls /sys/fs/cgroup)" "$(ls /sys/fs/cgroup)"
  equal "$(run-in-netns nx-test cat /proc/self/mountinfo | awk "$mounts")" "$(awk "$mounts" /proc/self/mountinfo)"
  [ -n "$(run-in-netns nx-test ls /sys/fs/cgroup)" ]
  # which is why it exists
  [ -z "$(ip netns exec nx-test ls /sys/fs/cgroup)" ]
}

@test "nothing is left behind on the host" {
  local before
  before=$(mounts)
  run-in-netns nx-test true
  equal "$(mounts)" "$before"
}

# But for those of a service of the host's that a timer has started.
mounts() {
  grep -v ' /run/credentials/' /proc/self/mountinfo
}

@test "a path does instead of a name" {
  equal "$(run-in-netns /run/netns/nx-test readlink /proc/self/ns/net)" "$(ip netns exec nx-test readlink /proc/self/ns/net)"
  equal "$(run-in-netns /proc/self/ns/net readlink /proc/self/ns/net)" "$(readlink /proc/self/ns/net)"
  run -255 run-in-netns /etc/passwd true
  matches "$output" 'setting the network namespace "/etc/passwd" failed: Invalid argument'
}

@test "help and version" {
  run -0 run-in-netns --help
  matches "$output" '^Usage: run-in-netns'
  run -0 run-in-netns --version
}
