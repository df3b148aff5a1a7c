#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Who is inside: the sessions that list and status show, and what else they tell of a running container.

load lib

setup_file() {
  guest_up who </dev/null
  guest_up box busybox </dev/null
  poll 20 narthex exec who -- true
}

teardown() {
  local pid
  explain_failure
  while read -r pid; do
    kill -KILL "$pid" 2>/dev/null || true
  done < <(cat "$BATS_TEST_TMPDIR/pids" 2>/dev/null)
}

teardown_file() {
  guests_remove_all
}

# Starts a client in the background, with nothing to read.
client() { # CMD…
  local silence=$BATS_TEST_TMPDIR/silence
  # no process at its other end, which would hold the test's own descriptors
  [ -p "$silence" ] || mkfifo "$silence"
  "$@" <>"$silence" >/dev/null 2>&1 3>&- &
  echo $! >>"$BATS_TEST_TMPDIR/pids"
}

# The sessions as "DOOR USER" lines, sorted.
sessions() { # NAME
  narthex status --json "$1" | sed -n 's/.*"open_sessions":\[\([^]]*\)\].*/\1/p' | tr '}' '\n' |
    sed -n 's/.*"door":"\([^"]*\)","user":"\{0,1\}\([^",]*\).*/\1 \2/p' | sort
}

sessions_are() { # NAME LINE…
  local name=$1 wanted
  shift
  wanted=$(printf '%s\n' "$@" | sed '/^$/d' | sort)
  [ "$(sessions "$name")" = "$wanted" ]
}

member() { # NAME KEY: a number or null
  narthex status --json "$1" | sed -n "s/.*\"$2\":\([0-9]*\|null\)[,}].*/\1/p"
}

@test "every door's sessions, with user and time, until they end" {
  local before after since line
  # who has only looked whether it is up may still be leaving
  poll 20 sessions_are who
  equal "$(member who sessions)" 0
  before=$(date +%s)
  client narthex exec who -- sleep 600
  client narthex exec who -u alice -- sleep 600
  client narthex exec who -u 12345 -- sleep 600
  client narthex login who
  client socat - "unix:$(door who root-login)"
  client socat - "unix:$(door who root-shell)"
  poll 20 sessions_are who 'exec root' 'exec alice' 'exec 12345' 'login null' 'root-login root' 'root-shell root'
  after=$(date +%s)
  equal "$(member who sessions)" 6
  for since in $(narthex status --json who | grep -o '"user":[^}]*' | grep -o '[0-9]\{16\}'); do
    [ $((since / 1000000)) -ge "$before" ] && [ $((since / 1000000)) -le "$after" ] || fail "$since is not now"
  done
  run -0 narthex status who
  matches "$output" 'Sessions: 6 open'
  for line in 'exec +alice +[0-9]+' 'exec +12345 +[0-9]+' 'login +- +[0-9]+' 'root-login +root +[0-9]+'; do
    matches "$output" $'\n'" +$line"
  done
  matches "$(narthex list | grep ^who)" 's +6 '
  xargs kill <"$BATS_TEST_TMPDIR/pids"
  poll 40 sessions_are who
  equal "$(member who sessions)" 0
}

@test "a guest without systemd shows its sessions, too" {
  client socat - "unix:$(door box root-shell)"
  poll 20 sessions_are box 'root-shell root'
  kill "$(cat "$BATS_TEST_TMPDIR/pids")"
  poll 40 sessions_are box
}

@test "an agent that starts, and a guest that boots, begin with an empty list" {
  local fake='root-shell 1000000 fake'
  printf '%-79s\n' "$fake" >/run/narthex/box/doors/sessions
  sessions_are box 'root-shell fake'
  # busybox' init starts another agent
  kill -KILL "$(pgrep -f 'narthex-agent --listen')"
  poll 20 sessions_are box
  printf '%-79s\n' "$fake" >/run/narthex/who/doors/sessions
  sessions_are who 'root-shell fake'
  timeout $((90 * slow)) narthex reboot who
  sessions_are who
  poll 20 narthex exec who -- true
}

# What a guest puts in the list's place harms nobody, and nobody waits for it.
answers() { # NAME
  local text
  text=$(timeout $((10 * ease)) narthex status "$1") || fail "status $?: $text"
  [[ $text != *$'\033'* ]] || fail 'a control character came through'
  timeout $((10 * ease)) narthex status --json "$1" | grep -q '"state":"running"'
  timeout $((10 * ease)) narthex list >/dev/null
}

@test "a hostile list: links, pipes, directories, garbage" {
  local list=/run/host/narthex/doors/sessions line
  while read -r line; do
    inside box "rm -rf $list; $line"
    answers box
    matches "$(member box sessions)" '^(null|0|[1-9][0-9]*)$'
  done <<END
ln -s /etc/passwd $list
ln -s /run/narthex/who/doors/sessions $list
ln -s sessions $list
mkfifo $list
mkdir $list
mknod $list c 5 0
mknod $list p
head -c 400000 /dev/urandom >$list
printf 'exec 1 \\033[31mred\\n' >$list
printf '%-79s\\n' 'exec 1 \\033]0;title\\007' >$list
printf '%-79s\\n' 'exec 99999999999999999999 root' >$list
dd if=/dev/zero of=$list bs=1 seek=1000000000 count=1
: >$list; chmod 0 $list
END
  # as many as fit, and no more
  inside box "rm -rf $list; awk 'BEGIN { for (i = 0; i < 6000; i++) printf \"%-79s\\n\", \"exec 1764000000000000 u\" i }' >$list"
  answers box
  equal "$(member box sessions)" 4096
  inside box "rm -rf $list"
  answers box
}

@test "who may not read it is not told" {
  local text
  text=$(setpriv --reuid=65534 --regid=65534 --clear-groups narthex status --json who)
  matches "$text" '"disk_bytes":null,"sessions":null,"open_sessions":null'
}

# It gives up after three seconds, and what wasn't in memory then is the next time. Sets bytes.
measured() {
  bytes=$(member who disk_bytes)
  [[ $bytes =~ ^[0-9]+$ ]]
}

@test "disk: what the tree takes, and not what is mounted in it or linked to" {
  local before after bytes
  poll 30 measured
  before=$bytes
  [ "$before" -gt 10000000 ] || fail "only $before bytes"
  mkdir "$containers/who/mnt/host"
  mount -t tmpfs none "$containers/who/mnt/host"
  head -c 30000000 /dev/zero >"$containers/who/mnt/host/big"
  ln -s /usr "$containers/who/mnt/link"
  head -c 20000000 /dev/zero >"$containers/who/root/file"
  ln "$containers/who/root/file" "$containers/who/root/again"
  sync -f "$containers/who/root/file"
  poll 30 measured
  after=$bytes
  umount "$containers/who/mnt/host"
  [ "$after" -ge $((before + 19000000)) ] && [ "$after" -lt $((before + 29000000)) ] || fail "$before, then $after"
  run -0 narthex status who
  matches "$output" 'Disk: [0-9.]+[MG]'
  # it would take too long for all of them
  matches "$(narthex list --json)" '"disk_bytes":null'
}
