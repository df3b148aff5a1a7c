#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Sessions outlive the agent: killed, restarted, upgraded, in the middle of anything.

load lib

setup_file() {
  guest_up live </dev/null
}

teardown_file() {
  guests_remove_all
}

# Kills the agent with -9 as soon as there is one, COUNT times, so that each lives for a moment. Ends early with FILE.
kill_agents() { # NAME COUNT [FILE]
  local i pids
  for ((i = 0; i < $2; i++)); do
    [ -z "${3:-}" ] || [ ! -e "$3" ] || break
    poll 20 kill_agent "$1"
    read -rt "0.$((RANDOM % 3))$((RANDOM % 10))" <> <(:) || true
  done
  echo "$i"
}

# False: there is none, or it has ended by itself just now.
kill_agent() { # NAME
  local pids
  # shellcheck disable=SC2086 # a list
  agent_is_there "$1" && kill -KILL $pids
}

agent_is_there() { # NAME; sets pids
  pids=$(agent_pids "$1")
  [ -n "$pids" ]
}

# Asked at another door: a session that was taken over may be all that the new agent knows of the exec door.
agent_says() { # NAME TEXT
  inside "$1" 'journalctl -q -n 300 -o cat --no-pager -u narthex-agent' | grep -q -- "$2"
}

# A client of its own, whose output and status are files; its input is a fifo on descriptor $to.
start_client() { # CMD…
  mkfifo "$BATS_TEST_TMPDIR/in"
  (
    ended=0
    "$@" <"$BATS_TEST_TMPDIR/in" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" 3>&- || ended=$?
    echo $ended >"$BATS_TEST_TMPDIR/status"
  ) 3>&- &
  exec {to}>"$BATS_TEST_TMPDIR/in"
}

client_ends() { # SECONDS STATUS
  poll "$1" test -s "$BATS_TEST_TMPDIR/status"
  equal "$(cat "$BATS_TEST_TMPDIR/status")" "$2" || {
    tail -n 3 "$BATS_TEST_TMPDIR/out" "$BATS_TEST_TMPDIR/err" >&2
    return 1
  }
}

said() { # TEXT
  grep -qa -- "$1" "$BATS_TEST_TMPDIR/out"
}

@test "exec: kill -9 of the agent, and exit status, output and input go on" {
  local status
  for status in 0 7 255; do
    rm -rf "${BATS_TEST_TMPDIR:?}"/*
    start_client narthex exec live -- sh -c "echo ready; read line; echo \"\$line\"; exit $status"
    poll 20 said ready
    equal "$(kill_agents live 3)" 3
    echo "hello $status" >&$to
    client_ends 30 $status
    equal "$(cat "$BATS_TEST_TMPDIR/out")" $'ready\nhello '"$status"
    exec {to}>&-
  done
}

@test "exec: a command that ends while no agent is there has its exit status told" {
  local pid
  start_client narthex exec live -- sh -c 'echo $$; kill -STOP $$; kill -SEGV $$'
  poll 20 said '[0-9]'
  pid=$(cat "$BATS_TEST_TMPDIR/out")
  # both in one breath, once it has stopped: the agent is gone when the command goes on
  inside live "until grep -q '^State:.T' /proc/$pid/status; do read -rt 0.1 <> <(:); done
    systemctl kill --signal=KILL narthex-agent; kill -CONT $pid; exec cat" || true
  client_ends 30 139
}

@test "exec: signals and the end of the client reach a command of an agent before" {
  local pid
  narthex exec live -- sh -c 'trap "echo caught" USR1; echo ready; while :; do sleep 0.1; done' >"$BATS_TEST_TMPDIR/out" 3>&- &
  pid=$!
  poll 20 said ready
  equal "$(kill_agents live 2)" 2
  poll 20 agent_says live 'goes on with 1 session'
  kill -USR1 $pid
  poll 20 said caught
  kill -KILL $pid
  poll 20 equal_count live 'echo caught' 0
}

@test "root-shell: a shell with a job goes on, its input, its end" {
  start_client socat -t 1 - "unix:$(door live root-shell)"
  echo 'i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo line $i; [ $((i % 100)) != 0 ] || sleep 0.05; done; echo ready' >&$to
  poll 20 said 'line 100$'
  kill_agents live 8
  poll 60 said ready
  echo 'echo still here; exit 3' >&$to
  client_ends 30 0
  equal "$(grep -c '^line' "$BATS_TEST_TMPDIR/out")" 3000
  equal "$(grep '^line' "$BATS_TEST_TMPDIR/out" | md5sum)" "$(seq 3000 | sed 's/^/line /' | md5sum)"
  said 'still here'
  # its end is noted by the agent that was there then
  poll 20 agent_says live 'closed at door root-shell.*exited with status 3'
}

@test "root-login: a numbered stream out, the agent killed all the time, no byte is lost or doubled" {
  local killed
  start_client socat -t 1 - "unix:$(door live root-login)"
  # the second half comes when two have been killed during the first
  echo 'stty -echo -opost; PS1=; echo; for i in $(seq 0 19); do seq -f "n%06.0f" $((i*5000+1)) $((i*5000+5000)); sleep 0.1
    [ $i != 9 ] || until [ -e /root/killed ]; do sleep 0.1; done; done; echo; echo done; exit' >&$to
  poll 20 said n000100
  killed=$(kill_agents live 2)
  equal "$killed" 2
  touch "$containers/live/root/killed"
  (
    until grep -qa '^done$' "$BATS_TEST_TMPDIR/out" || [ -s "$BATS_TEST_TMPDIR/status" ]; do :; done
    touch "$BATS_TEST_TMPDIR/done"
  ) 3>&- &
  killed=$(kill_agents live 100 "$BATS_TEST_TMPDIR/done")
  echo "agents killed: 2 and $killed"
  client_ends 120 0
  equal "$(tr -d '\r' <"$BATS_TEST_TMPDIR/out" | grep -a '^n[0-9]' | md5sum)" "$(seq -f 'n%06.0f' 100000 | md5sum)"
}

@test "root-login: input that is typed while agents are killed arrives whole" {
  start_client socat -t 1 - "unix:$(door live root-login)"
  echo 'stty raw -echo; head -c 400000 | md5sum >/root/typed; stty sane; echo done; exit' >&$to
  poll 20 equal_count live 'head -c 40000[0]' 1
  seq -f 'k%06.0f' 100000 | head -c 400000 >"$BATS_TEST_TMPDIR/keys"
  # the second half comes when two have been killed: the first agent is quick enough for all of it
  head -c 200000 "$BATS_TEST_TMPDIR/keys" >&$to
  equal "$(kill_agents live 2)" 2
  (tail -c +200001 "$BATS_TEST_TMPDIR/keys" >&$to) 3>&- &
  kill_agents live 10
  poll 60 said "done"
  client_ends 30 0
  equal "$(inside live 'cat /root/typed')" "$(md5sum <"$BATS_TEST_TMPDIR/keys")"
}

@test "login: a session with its password, its record and its hangup outlives the agent" {
  talk "door=$(door live login)" "kill=narthex exec live -- systemctl kill --signal=KILL narthex-agent" '
    knock $door
    need "login: $"
    send "alice\r"
    need "Password: "
    eval exec $kill
    send "alicepw\r"
    need "\\$ $"
    eval exec $kill
    send "PS1=; echo user=\$(id -un) size=\$(stty size)\r"
    need "user=alice size=24 80"
    send "exit\r"
    need_eof
  '
}

@test "a client that goes away from an agent's successor has its terminal hung up" {
  local pid
  mkfifo "$BATS_TEST_TMPDIR/in"
  socat - "unix:$(door live root-login)" <"$BATS_TEST_TMPDIR/in" >/dev/null 3>&- &
  pid=$!
  exec {to}>"$BATS_TEST_TMPDIR/in"
  echo 'sleep 4711' >&$to
  poll 20 equal_count live 'sleep 471[1]' 1
  equal "$(kill_agents live 1)" 1
  poll 20 agent_says live 'goes on with 1 session'
  kill -KILL $pid
  poll 30 equal_count live 'sleep 471[1]' 0
}

@test "systemctl restart keeps every session, systemctl stop ends them with a word" {
  start_client narthex exec live -- sh -c 'echo ready; read line; exit 5'
  poll 20 said ready
  inside live 'systemctl restart narthex-agent'
  narthex exec live -- systemctl try-restart narthex-agent
  poll 20 agent_says live 'goes on with'
  echo >&$to
  client_ends 30 5
  exec {to}>&-

  rm -rf "${BATS_TEST_TMPDIR:?}"/*
  start_client narthex exec live -- sh -c 'echo ready; exec sleep 1000'
  socat -u "unix:$(door live root-login)" "create:$BATS_TEST_TMPDIR/login" 3>&- &
  poll 20 said ready
  poll 20 test -s "$BATS_TEST_TMPDIR/login"
  narthex exec live -- systemctl stop --no-block narthex-agent || true
  client_ends 30 125
  matches "$(cat "$BATS_TEST_TMPDIR/err")" 'the container ends the session: the agent is stopped'
  poll 20 grep -q 'the agent is stopped' "$BATS_TEST_TMPDIR/login"
  poll 20 equal_count live 'sleep 100[0]' 0
}

# A client of the exec door that has still to say what it wants, in a coprocess late; who comes after it is served.
let_in() { # NAME
  local line
  coproc late { /build/tests/knock late "$(door "$1" exec)" /bin/true 3>&-; }
  read -rt 60 line <&"${late[0]}"
  equal "$line" in
  narthex exec --root "$containers/$1" -- true
}

is_served() {
  local line answer
  # of its own: bash closes a coprocess' when it has ended
  exec {answer}<&"${late[0]}"
  echo >&"${late[1]}"
  read -rt 60 line <&$answer
  exec {answer}<&-
  equal "$line" 'exited 0'
}

stops_or_is_another() { # OLD-PID
  [ "$(agent_pids live)" != "$1" ] || inside_unit | grep -qx 'SubState=stop-sigterm'
}

inside_unit() {
  nsenter -t "$(guest_leader live)" -a systemctl show -p SubState narthex-agent
}

@test "systemctl restart waits for who has been let in and has yet to say what to run" {
  local pids
  let_in live
  pids=$(agent_pids live)
  nsenter -t "$(guest_leader live)" -a systemctl restart --no-block narthex-agent
  poll 20 stops_or_is_another "$pids"
  is_served
  poll 30 another_agent "$pids"
}

# It is heard for five seconds, and the agent ends by itself then, nobody kills it.
@test "systemctl restart waits for a silent client of the exec door, and no longer" {
  local line pids since
  coproc silent { /build/tests/knock hold "$(door live exec)" 1 3>&-; }
  read -rt 60 line <&"${silent[0]}"
  equal "$line" holding
  narthex exec live -- true
  pids=$(agent_pids live)
  since=$(date +%s)
  nsenter -t "$(guest_leader live)" -a systemctl restart narthex-agent
  another_agent "$pids"
  # PID 1's words, written before the new agent was started
  run inside live "journalctl --sync; journalctl -q -o cat --no-pager --since=@$since -u narthex-agent"
  matches "$output" 'Stopped.*narthex-agent'
  not grep -i 'timed out\|timeout' <<<"$output"
}

another_agent() { # OLD-PID
  local now
  now=$(agent_pids live)
  [ -n "$now" ] && [ "$now" != "$1" ]
}

@test "an agent that crashes again and again ends its sessions with a word, and serves new ones" {
  local i pids
  # a sanitizer's handler of such signals stays, and it reports
  [ -z "$san" ] || return 0
  start_client narthex exec live -- sh -c 'echo ready; exec sleep 1002'
  socat -u "unix:$(door live root-login)" "create:$BATS_TEST_TMPDIR/login" 3>&- &
  poll 20 said ready
  poll 20 test -s "$BATS_TEST_TMPDIR/login"
  for ((i = 1; i <= 10; i++)); do
    poll 20 agent_counts_crashes
    [ ! -s "$BATS_TEST_TMPDIR/status" ]
    kill -SEGV "$pids"
    poll 20 not kill -0 "$pids"
  done
  client_ends 30 125
  matches "$(cat "$BATS_TEST_TMPDIR/err")" 'the agent has crashed again and again'
  poll 20 grep -q 'the agent has crashed again and again' "$BATS_TEST_TMPDIR/login"
  equal "$(narthex exec live -- echo served)" served
  poll 20 equal_count live 'sleep 100[2]' 0
}

# It has its handler, which is the first thing that it does to sessions. Sets pids.
agent_counts_crashes() {
  agent_is_there live && [ "$(cat "/proc/$pids/comm")" = narthex-agent ] && ((0x$(awk '/^SigCgt:/ { print $2 }' "/proc/$pids/status") >> 10 & 1))
}

@test "who is inside is known after a kill, and nothing stays in the store" {
  start_client narthex exec live -- sh -c 'echo ready; read line'
  poll 20 said ready
  poll 20 one_session
  equal "$(kill_agents live 2)" 2
  poll 20 one_session
  echo >&$to
  client_ends 30 0
  poll 20 no_session
  # an agent that comes keeps no empty ones of the last one's
  equal "$(kill_agents live 1)" 1
  poll 20 nothing_in_store
}

# Only the one that asks, and the count of crashes.
nothing_in_store() {
  [ "$(narthex exec live -- systemctl show -P NFileDescriptorStore narthex-agent)" -le 2 ]
}

one_session() {
  narthex status live | grep -q '^ *exec .*root'
}

no_session() {
  not one_session
}

@test "an agent can be passed all that can be kept; a session's own soft limit is small" {
  local soft max
  soft=$(inside live 'systemctl show -P LimitNOFILESoft narthex-agent')
  max=$(inside live 'systemctl show -P FileDescriptorStoreMax narthex-agent')
  # with the doors, and with what it opens itself
  [ "$soft" -gt $((max + 100)) ]
  equal "$(inside live 'ulimit -Sn')" 1024
  equal "$(narthex exec live -- sh -c 'ulimit -Sn')" 1024
}

@test "100 sessions are taken over at once" {
  local i many=$BATS_TEST_TMPDIR/many
  mkdir "$many"
  for ((i = 0; i < 100; i++)); do
    (
      ended=0
      narthex exec live -- sh -c "echo ready; until [ -e /run/go ]; do sleep 0.2; done; exit $i" </dev/null >"$many/$i.out" 3>&- || ended=$?
      echo $ended >"$many/$i"
    ) 3>&- &
  done
  poll 60 all_ready
  kill_agents live 3
  inside live 'touch /run/go'
  poll 60 all_ended
  for ((i = 0; i < 100; i++)); do
    equal "$(cat "$many/$i")" "$i"
  done
}

all_ready() {
  [ "$(cat "$BATS_TEST_TMPDIR"/many/*.out | wc -l)" = 100 ]
}

all_ended() {
  [ "$(find "$BATS_TEST_TMPDIR/many" -type f ! -name '*.out' -size +0 | wc -l)" = 100 ]
}

@test "a guest without systemd: SIGUSR2 executes the agent anew, with its sessions" {
  local pid bare=(narthex exec --root "$containers/bare" --)
  guest_tree bare busybox
  sed -i 's|narthex-agent .*|& --listen exec=/var/lib/exec.socket|' "$containers/bare/etc/inittab"
  guest_conf bare </dev/null
  guest_start bare
  poll 30 "${bare[@]}" true
  start_client "${bare[@]}" sh -c 'echo ready; read line; exit 9'
  poll 20 said ready
  pid=$("${bare[@]}" pidof narthex-agent)
  "${bare[@]}" kill -USR2 "$pid"
  equal "$(inside bare 'echo served')" served
  equal "$("${bare[@]}" pidof narthex-agent)" "$pid"
  echo >&$to
  client_ends 30 9
  let_in bare
  "${bare[@]}" kill -USR2 "$pid"
  is_served
  # and once more: what was passed is passed on
  "${bare[@]}" sh -c "kill -USR2 $pid; echo after" >"$BATS_TEST_TMPDIR/after"
  equal "$(cat "$BATS_TEST_TMPDIR/after")" after
  equal "$(stat -c %a "$(door bare exec)" "$(door bare login)" | xargs)" '600 666'
  guest_remove bare
}
