#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The root-shell door: root's shell whose stdin, stdout and stderr are the connection.

load lib

setup_file() {
  guest_up shell </dev/null
}

teardown_file() {
  guests_remove_all
}

@test "the example as printed: socat gives a root shell" {
  poll 20 example_works
}

# socat as printed waits for half a second only: what a held-up machine says later it doesn't hear.
example_works() {
  [ "$(bash -c "echo 'id -u; hostname' | socat unix:$(door shell root-shell) -")" = $'0\nshell' ]
}

@test "environment and directory are root's" {
  equal "$(inside shell 'echo "$HOME:$USER:$SHELL:$PWD"')" /root:root:/bin/bash:/root
  matches "$(inside shell 'echo $PATH')" '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin'
  equal "$(inside shell 'echo "${NOTIFY_SOCKET:-no}${LISTEN_FDS:-no}${JOURNAL_STREAM:-no}"')" nonono
}

@test "no prompt, no echo, stderr too, byte for byte" {
  run inside shell $'echo out; echo err >&2; printf "a\\r\\nb\\0c\\xff" | od -An -tx1 | tr -d " \\n"'
  equal "$output" $'out\nerr\n610d0a620063ff'
  run inside shell 'test -t 0 || test -t 1 || echo no terminal'
  equal "$output" 'no terminal'
}

@test "the session ends with the shell while the client keeps its side open" {
  run timeout 30 bash -c "(echo 'echo bye; exit 3'; exec tail -f /dev/null) | socat -t 0.2 - unix:$(door shell root-shell)"
  # tail only notices the closed pipe when timeout ends it; the answer was complete long before
  matches "$output" 'bye'
  poll 10 no_sessions
}

no_sessions() {
  equal "$(inside shell 'ps_count=0; for p in /proc/[0-9]*; do grep -qs narthex-sessions "$p/cgroup" && ps_count=$((ps_count+1)); done; echo $ps_count')" 1
}

@test "half-close by the client: input ends, output goes on" {
  run inside shell 'cat >/dev/null; for i in 1 2 3; do echo $i; done; echo end'
  # cat read to the end of input; the shell, which has read this line already, goes on
  equal "$output" $'1\n2\n3\nend'
  run inside shell <<<'exec 3<&0; (cat <&3 >/dev/null; seq 100000; echo end)'
  equal "${lines[-1]}" end
  equal "${#lines[@]}" 100001
}

@test "half-close by the guest: the end arrives after the last byte" {
  local n
  for n in 1 2 3 4 5 6 7 8 9 10; do
    equal "$(inside shell 'head -c 1000000 /dev/zero; echo; exit' | wc -c)" 1000001
  done
}

@test "64 MiB of random bytes out arrive unchanged" {
  local there
  inside shell 'head -c 67108864 /dev/urandom >/root/random'
  there=$(inside shell 'sha256sum </root/random')
  equal "$(inside shell 'cat /root/random' | sha256sum)" "$there"
}

@test "64 MiB of random bytes in arrive unchanged" {
  local here
  head -c 67108864 /dev/urandom >"$BATS_TEST_TMPDIR/random"
  here=$(sha256sum <"$BATS_TEST_TMPDIR/random")
  # the shell must not read ahead: it reads a script from a socket byte by byte
  equal "$( (echo 'exec sha256sum'; cat "$BATS_TEST_TMPDIR/random") | inside shell)" "$here"
}

@test "both directions at once: 32 MiB through cat" {
  local here
  head -c 33554432 /dev/urandom >"$BATS_TEST_TMPDIR/random"
  here=$(sha256sum <"$BATS_TEST_TMPDIR/random")
  equal "$( (echo 'exec cat'; cat "$BATS_TEST_TMPDIR/random") | inside shell | sha256sum)" "$here"
}

# fds of the agent, its children, also dead ones, all processes of agent and sessions, ptys and cgroups of the guest, the
# agent's memory in KiB
footprint() {
  local pid fds=0 children=0 rss=0
  for pid in $(agent_pids shell); do
    fds=$(find "/proc/$pid/fd" -mindepth 1 2>/dev/null | wc -l)
    children=$(pgrep -c -P "$pid" || true)
    rss=$(awk '/^RssAnon/ { print $2 }' "/proc/$pid/status")
  done
  echo "$fds $children $(guest_pids shell -path '*/narthex.slice/*' | wc -l) $(find "/proc/$(guest_leader shell)/root/dev/pts" -mindepth 1 | wc -l)" \
    "$(find "/sys/fs/cgroup$(systemctl show -P ControlGroup container-shell)" -type d | wc -l) $rss"
}

@test "10,000 commands one after another leave nothing behind" {
  local before after agent holder count=$((10000 / slow)) hold=$BATS_TEST_TMPDIR/hold
  # who is inside keeps the agent, which would leave and have nothing
  mkfifo "$hold"
  socat - "unix:$(door shell root-shell)" <"$hold" >"$hold.out" 3>&- &
  holder=$!
  exec {keep}>"$hold"
  echo 'echo here' >&"$keep"
  poll 20 grep -q here "$hold.out"
  /build/tests/knock repeat "$(door shell root-shell)" 100 'echo $((6*7))' 42
  before=$(footprint)
  agent=$(agent_pids shell)
  BATS_TEST_TIMEOUT=600 timeout 600 /build/tests/knock repeat "$(door shell root-shell)" "$count" 'echo $((6*7))' 42
  poll 20 nothing_but_memory_grew "$before"
  after=$(footprint)
  echo "before: $before, after: $after"
  # the sanitizer's quarantine grows by design
  [ -n "$san" ] || [ "$((${after##* } - ${before##* }))" -le 256 ]
  equal "$(agent_pids shell)" "$agent"
  exec {keep}>&-
  wait "$holder"
}

nothing_but_memory_grew() { # FOOTPRINT
  no_more "${1% *}" "$(footprint | cut -d' ' -f1-5)"
}

@test "the agent leaves after half a minute without a session" {
  SECONDS=0
  inside shell true
  [ -n "$(agent_pids shell)" ]
  poll 60 no_agent
  [ "$SECONDS" -ge 29 ] || fail "after $SECONDS s"
}

no_agent() {
  [ -z "$(agent_pids shell)" ]
}

@test "200 sessions at once" {
  timeout 120 /build/tests/knock burst "$(door shell root-shell)" 200 'echo $((6*7))' 42
}

@test "a slow reader of 1 GiB costs the agent no memory" {
  local out=$BATS_TEST_TMPDIR/out go=$BATS_TEST_TMPDIR/go pid
  mkfifo "$go"
  timeout 170 /build/tests/knock deaf "$(door shell root-shell)" 1000000 'head -c 1073741824 /dev/zero; exit' \
    <"$go" >"$out" 3>&- &
  pid=$!
  exec {hold}>"$go"
  poll 20 grep -q deaf "$out"
  poll 10 memory_below shell 16384
  echo go >&"$hold"
  exec {hold}>&-
  wait "$pid"
  equal "$(tail -n 1 "$out")" 1073741824
  memory_below shell 16384
}

running() { # PATTERN N
  [ "$(guest_count shell "$1")" = "$2" ]
}

@test "a client that is killed takes its session along, and no other" {
  local pid
  (echo 'while :; do echo line 771; done') | timeout 60 socat -t 60 - "unix:$(door shell root-shell)" \
    >"$BATS_TEST_TMPDIR/out" 3>&- &
  poll 20 grep -q 'line 771' "$BATS_TEST_TMPDIR/out"
  poll 20 running '^/bin/bash\|^-bash\|^bash' 1
  pid=$(pgrep -f "^socat -t 60 - unix:$(door shell root-shell)")
  kill -KILL "$pid"
  poll 20 running '^/bin/bash\|^-bash\|^bash' 0
  equal "$(inside shell 'echo alive')" alive
}

# Waited for by the shell or not: a shell that isn't waiting sees the end of its input before it is hung up.
@test "a client that is killed takes along what has gone into a scope of its own" {
  local pid to fifo=$BATS_TEST_TMPDIR/in wait
  mkfifo "$fifo"
  for wait in '' '&'; do
    socat - "unix:$(door shell root-shell)" <"$fifo" >"$BATS_TEST_TMPDIR/out" 3>&- &
    pid=$!
    exec {to}>"$fifo"
    echo "systemd-run -q --scope sh -c 'echo ready; exec sleep 10088' $wait" >&$to
    poll 20 grep -q ready "$BATS_TEST_TMPDIR/out"
    poll 20 running '^sleep 10088' 1
    kill -KILL $pid
    poll 20 running '^sleep 10088' 0
    exec {to}>&-
    rm "$BATS_TEST_TMPDIR/out"
  done
}

@test "a background job does not hold the session open" {
  run timeout 60 bash -c "echo '(exec tail -f /dev/null) & echo started' | socat -t 50 - unix:$(door shell root-shell)"
  equal "$status" 0
  equal "$output" started
  # and what a session leaves is hung up
  poll 20 running 'tail -f /dev/null' 0
}

@test "a job in a session of its own that ignores the hangup survives" {
  # by its name: to grep the zeros in a command line end lines, and nohup's has "tail" in it, too
  run timeout 60 bash -c "echo 'nohup setsid tail -F /dev/null >/dev/null 2>&1 </dev/null & until grep -qsx tail /proc/\$!/comm; do :; done; echo started' | socat -t 50 - unix:$(door shell root-shell)"
  equal "$output" started
  # what has been hung up doesn't come back
  equal_count shell 'tail -F /dev/null' 1
  inside shell 'for p in /proc/[0-9]*; do grep -qs ^tail $p/cmdline && kill ${p#/proc/}; done'
}

@test "a command that takes its time is done, though its client has ended its input and left" {
  echo 'rm -f /root/slow; sleep 3; touch /root/slow' | timeout 60 socat - "unix:$(door shell root-shell)"
  poll 20 test -e "$containers/shell/root/slow"
}

@test "echo whose client is gone at once still has its effect" {
  echo 'touch /root/was-here' | timeout 60 socat -u - "unix:$(door shell root-shell)"
  poll 10 test -e "$containers/shell/root/was-here"
}

@test "a root whose shell is missing gets /bin/sh" {
  sed -i 's|^root:\(.*\):/bin/bash|root:\1:/bin/none|' "$containers/shell/etc/passwd"
  run inside shell 'echo $0 $SHELL'
  sed -i 's|^root:\(.*\):/bin/none|root:\1:/bin/bash|' "$containers/shell/etc/passwd"
  matches "$output" 'sh'
}
