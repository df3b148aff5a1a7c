#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# narthex start, stop, restart, reboot, kill, enable, disable, list, status, show-ip, logs.

load lib

teardown() {
  [ ! -s "$BATS_TEST_TMPDIR/pid" ] || kill -KILL "$(cat "$BATS_TEST_TMPDIR/pid")" 2>/dev/null || true
  guests_remove_all
  # those in the foreground have no configuration
  rm -rf --one-file-system "$containers"/{front,quick}
}

# A member of `narthex status --json`: a number, true, null, or a string with its quotes.
member() { # NAME KEY
  narthex status --json "$1" | sed -n "s/.*\"$2\":\(\[[^]]*\]\|\"[^\"]*\"\|[^,}]*\)[,}].*/\1/p"
}

state_is() { # NAME STATE
  [ "$(member "$1" state)" = "\"$2\"" ]
}

# Runs narthex with a deadline; what it says is in $output, its exit status must be STATUS.
verb() { # STATUS ARGUMENT…
  local wanted=$1
  shift
  run timeout $((90 * ease)) narthex "$@"
  [ "$status" = "$wanted" ] || fail "narthex $*: status $status, not $wanted: $output"
}

as_nobody() {
  setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
}

# A container in the foreground that boots, started by a process of the test.
foreground() { # NAME
  local name=$1
  shift
  guest_tree "$name"
  [ "$flavour" = userns ] || set -- --private-users=no
  narthex run --name "$name" "$@" </dev/null >"$BATS_TEST_TMPDIR/console" 2>&1 3>&- &
  echo $! >"$BATS_TEST_TMPDIR/pid"
  poll 30 state_is "$name" running
}

@test "start waits until it is up, stop until it is gone, twice of each is no error" {
  guest_tree one
  guest_tree two
  guest_conf one </dev/null
  guest_conf two </dev/null
  verb 0 start one two
  equal "$output" ''
  equal "$(systemctl is-active container-one container-two)" $'active\nactive'
  equal "$(member one state) $(member two state)" '"running" "running"'
  verb 0 start one
  equal "$output" "narthex: container 'one' is already running"
  verb 0 stop one two
  equal "$output" ''
  verb 0 stop one
  equal "$output" "narthex: container 'one' is not running"
  equal "$(member one state)" '"stopped"'
  none_left one
}

@test "start and restart take what has changed in /etc/narthex" {
  guest_tree fresh
  mkdir -p "$conf_dir/fresh.conf.d"
  [ "$flavour" = userns ] || printf '[Exec]\nPrivateUsers=no\n' >"$conf_dir/fresh.conf.d/flavour.conf"
  printf '[Service]\nEnvironment=MARK=first\n' >"$conf_dir/fresh.conf"
  # nobody ran systemctl daemon-reload
  verb 0 start fresh
  matches "$(systemctl show -P Environment container-fresh)" MARK=first
  printf '[Service]\nEnvironment=MARK=second\n' >"$conf_dir/fresh.conf"
  touch -d '+1 hour' "$conf_dir/fresh.conf"
  verb 0 restart fresh
  matches "$(systemctl show -P Environment container-fresh)" MARK=second
  equal "$(member fresh boots)" 1
  # drop-ins, too, of which systemd doesn't know; one that is moved there is older than the unit
  printf '[Service]\nEnvironment=MARK=third\n' >"$conf_dir/.third"
  touch -d '-1 hour' "$conf_dir/.third"
  mv "$conf_dir/.third" "$conf_dir/fresh.conf.d/third.conf"
  verb 0 restart fresh
  matches "$(systemctl show -P Environment container-fresh)" MARK=third
  rm "$conf_dir/fresh.conf.d/third.conf"
  verb 0 restart fresh
  run ! grep MARK=third <<<"$(systemctl show -P Environment container-fresh)"
  # and all of them at once
  cat "$conf_dir/fresh.conf.d"/*.conf >>"$conf_dir/fresh.conf" || true
  printf '[Service]\nEnvironment=MARK=fourth\n' >"$conf_dir/fresh.conf.d/fourth.conf"
  verb 0 restart fresh
  matches "$(systemctl show -P Environment container-fresh)" MARK=fourth
  rm -r "$conf_dir/fresh.conf.d"
  verb 0 restart fresh
  run ! grep MARK=fourth <<<"$(systemctl show -P Environment container-fresh)"
}

@test "a start that fails shows why, and stop ends systemd's attempts" {
  guest_tree broken
  # an init that fails at once, and says something for the terminal of whoever looks
  rm "$containers/broken/sbin/init"
  printf '#!/bin/sh\nprintf "evil \\033]0;title\\007 text\\n"\nexit 3\n' >"$containers/broken/sbin/init"
  chmod 755 "$containers/broken/sbin/init"
  guest_conf broken <<'END'
[Exec]
NotifyReady=yes
END
  verb 125 start broken
  matches "$output" "container 'broken' failed \(status 3\)"
  matches "$output" 'evil'
  [[ $output != *$'\033'* ]] || fail 'a control character came through'
  matches "$output" "systemd goes on trying; 'narthex stop broken' ends that"
  verb 0 stop broken
  verb 1 status broken
  none_left broken
}

@test "a wrong configuration: start says where, list and status say invalid" {
  guest_conf wrong <<'END'
[Exec]
Bot=yes
END
  verb 125 start wrong
  matches "$output" "/etc/narthex/wrong.conf:2: unknown key Bot="
  verb 1 status wrong
  matches "$output" 'wrong: invalid'
  verb 0 list
  matches "$output" 'wrong +invalid'
}

@test "reboot: systemd in place, the service stays active" {
  local launcher
  guest_up again <<'END'
[Network]
HostAddress=10.21.0.1
LocalAddress=10.21.0.2
END
  launcher=$(member again launcher)
  equal "$(member again boots)" 1
  verb 0 reboot again
  equal "$(member again boots)" 2
  equal "$(member again launcher)" "$launcher"
  equal "$(member again state)" '"running"'
  equal "$(systemctl show -P NRestarts container-again)" 0
  matches "$(inside again 'cat /proc/1/comm')" systemd
  ping -c 1 -W 20 10.21.0.2
  verb 0 status again
  matches "$output" 'rebooted 1 time'
}

@test "reboot: busybox in place" {
  guest_up box busybox </dev/null
  equal "$(member box init)" '"busybox"'
  verb 0 reboot box
  equal "$(member box boots)" 2
  poll 20 test -S "$(door box root-shell)"
  equal "$(inside box 'id -u')" 0
}

@test "kill ends a guest that ignores requests, at once, and it stays down" {
  guest_tree deaf
  rm "$containers/deaf/sbin/init"
  cat >"$containers/deaf/sbin/init" <<'END'
#!/bin/sh
trap '' TERM PWR INT HUP USR1 USR2
echo deaf
while :; do read -r x </dev/console || :; done
END
  chmod 755 "$containers/deaf/sbin/init"
  guest_conf deaf </dev/null
  guest_start deaf
  SECONDS=0
  verb 0 kill deaf
  [ "$SECONDS" -lt $((10 * ease)) ] || fail "took $SECONDS s"
  equal "$(systemctl is-active container-deaf)" inactive
  equal "$(systemctl show -P Result container-deaf)" success
  none_left deaf
  verb 0 kill deaf
  matches "$output" "is not running"
}

@test "kill --signal reaches the guest's PID 1" {
  guest_up sig </dev/null
  verb 2 kill --signal=NOSUCH sig
  matches "$output" "there is no signal 'NOSUCH'"
  # systemd(1): poweroff
  verb 0 kill -s RTMIN+4 sig
  poll 40 state_is sig stopped
  equal "$(systemctl show -P Result container-sig)" success
  verb 125 kill --signal=TERM sig
  matches "$output" "container 'sig' is not running"
}

@test "errors: no such container, with the nearest name; nothing happens to the others" {
  local v
  guest_up known </dev/null
  for v in start stop restart reboot kill enable disable status show-ip logs; do
    verb 125 $v knwon
    equal "$output" "narthex: $v: there is no container 'knwon'; did you mean 'known'?"
    verb 2 $v
    verb 2 $v --no-such-option known
    matches "$output" "there is no option '--no-such-option'"
    verb 0 $v --help
    matches "$output" "Usage: narthex $v "
    verb 0 help $v
  done
  verb 125 stop known '../known'
  matches "$output" "'../known' is no container's name"
  equal "$(member known state)" '"running"'
  verb 125 stop entirely-different
  matches "$output" "see 'narthex list'"
}

@test "errors: not running" {
  guest_tree idle
  guest_conf idle </dev/null
  verb 125 reboot idle
  equal "$output" "narthex: reboot: container 'idle' is not running"
  verb 125 kill --signal=HUP idle
  verb 1 status idle
  matches "$output" 'idle: stopped'
}

@test "errors: no permission; list, status and show-ip work for everybody" {
  guest_up other <<'END'
[Network]
HostAddress=10.22.0.1
LocalAddress=10.22.0.2
END
  run as_nobody narthex stop other
  [ "$status" = 125 ]
  matches "$output" 'no permission|cannot talk to systemd'
  run as_nobody narthex reboot other
  [ "$status" = 125 ]
  matches "$output" 'no permission'
  run as_nobody narthex kill --signal=TERM other
  [ "$status" = 125 ]
  run as_nobody narthex enable other
  [ "$status" = 125 ]
  run as_nobody narthex status other
  equal "$status" 0
  matches "$output" 'other: running'
  equal "$(as_nobody narthex show-ip other)" 10.22.0.2
  matches "$(as_nobody narthex list)" 'other +running'
  equal "$(member other state)" '"running"'
}

@test "errors: systemd is not PID 1" {
  guest_tree plain
  guest_conf plain </dev/null
  run unshare -m sh -c 'mount -t tmpfs none /run/systemd && exec narthex start plain'
  [ "$status" = 125 ]
  matches "$output" "systemd is not PID 1 of this host: only 'narthex run' works here"
  # what doesn't need it works
  run unshare -m sh -c 'mount -t tmpfs none /run/systemd && exec narthex list'
  [ "$status" = 0 ]
  matches "$output" 'plain +stopped'
}

@test "a container in the foreground: listed, not started twice, rebooted, stopped" {
  foreground front
  verb 0 status front
  matches "$output" 'front: running in the foreground since'
  equal "$(member front foreground) $(member front configured) $(member front unit)" 'true false null'
  verb 0 list
  matches "$output" 'front +running +systemd'
  guest_conf front </dev/null
  verb 125 start front
  matches "$output" "container 'front' runs in the foreground: stop it first"
  verb 0 reboot front
  equal "$(member front boots)" 2
  verb 0 stop front
  poll 10 not kill -0 "$(cat "$BATS_TEST_TMPDIR/pid")"
  verb 1 status front
  none_left front
}

@test "kill of a container in the foreground, without systemd on the host" {
  foreground quick
  run unshare -m sh -c 'mount -t tmpfs none /run/systemd && exec timeout 30 narthex kill quick'
  [ "$status" = 0 ] || fail "$output"
  poll 10 not kill -0 "$(cat "$BATS_TEST_TMPDIR/pid")"
}

@test "enable and disable: a drop-in of our own, nobody else's file is touched" {
  local before
  guest_tree auto
  guest_conf auto </dev/null
  before=$(cat "$conf_dir/auto.conf")
  verb 0 enable auto
  [ -e /run/systemd/generator/machines.target.wants/container-auto.service ]
  equal "$(member auto auto_start)" true
  verb 0 enable auto
  verb 0 disable auto
  [ ! -e /run/systemd/generator/machines.target.wants/container-auto.service ]
  [ ! -e "$conf_dir/auto.conf.d/90-auto-start.conf" ]
  equal "$(cat "$conf_dir/auto.conf")" "$before"
  # against what the file says
  printf '[Exec]\nAutoStart=yes\n' >"$conf_dir/auto.conf"
  verb 0 disable --now auto
  equal "$(member auto auto_start)" false
  equal "$(sed -n 's/AutoStart=//p' "$conf_dir/auto.conf.d/90-auto-start.conf")" no
  verb 0 enable --now auto
  equal "$(member auto auto_start) $(member auto state)" 'true "running"'
  [ ! -e "$conf_dir/auto.conf.d/90-auto-start.conf" ]
  verb 0 disable --now auto
  equal "$(member auto state)" '"stopped"'
  # a later file wins, and is said to
  printf '[Exec]\nAutoStart=yes\n' >"$conf_dir/auto.conf.d/99-mine.conf"
  verb 125 disable auto
  matches "$output" "a later file in $conf_dir/auto.conf.d sets AutoStart= again"
}

@test "status --json: every member, with what is really so" {
  local leader key
  guest_up facts <<'END'
[Network]
HostAddress=10.23.0.1
LocalAddress=10.23.0.2
HostAddress6=fd00:23::1
LocalAddress6=fd00:23::2
END
  for key in name state foreground configured unit auto_start ephemeral private_network root init leader launcher \
    boots since_usec uid_base uid_count addresses memory_bytes disk_bytes sessions open_sessions; do
    [ -n "$(member facts $key)" ] || fail "no $key"
    grep -q "\`$key\`" /src/docs/json.md || fail "$key is not documented"
  done
  leader=$(guest_leader facts)
  equal "$(member facts leader)" "$leader"
  equal "$(member facts launcher)" "$(launcher_pid facts)"
  equal "$(member facts root)" "\"$containers/facts\""
  equal "$(member facts addresses)" '["10.23.0.2","fd00:23::2"]'
  equal "$(member facts unit)" '"container-facts.service"'
  equal "$(member facts uid_base)" "$(awk '{ print $2 }' "/proc/$leader/uid_map")"
  [ $(($(member facts since_usec) / 1000000)) -le "$(date +%s)" ]
  [ $(($(member facts since_usec) / 1000000)) -gt $(($(date +%s) - 60 * ease)) ]
  # what it takes changes by itself
  equal "$(narthex list --json | sed 's/"memory_bytes":[0-9]*/"memory_bytes":null/')" \
    "[$(narthex status --json facts | sed 's/"\(memory\|disk\)_bytes":[0-9]*/"\1_bytes":null/g')]"
  equal "$(narthex show-ip facts)" 10.23.0.2
  equal "$(narthex show-ip -6 facts)" fd00:23::2
}

@test "sessions are counted" {
  guest_up busy </dev/null
  equal "$(member busy sessions)" 0
  socat -u "unix:$(door busy root-shell)" /dev/null 3>&- &
  echo $! >"$BATS_TEST_TMPDIR/pid"
  poll 10 equal_sessions busy 1
  kill "$(cat "$BATS_TEST_TMPDIR/pid")"
  poll 20 equal_sessions busy 0
}

equal_sessions() { # NAME N
  [ "$(member "$1" sessions)" = "$2" ]
}

@test "an answer that can't be written is an error, not an empty answer" {
  local verb
  guest_tree mute
  printf '[Network]\nHostAddress=10.9.1.1\nLocalAddress=10.9.1.2\n' | guest_conf mute
  for verb in "show-ip mute" list "list --json" "status mute"; do
    # shellcheck disable=SC2086
    run -125 --separate-stderr with_full_stdout narthex $verb
    matches "$stderr" 'cannot write to standard output'
  done
  run -125 --separate-stderr with_closed_stdout narthex show-ip mute
  matches "$stderr" 'cannot write to standard output'
}

with_full_stdout() {
  "$@" >/dev/full
}

with_closed_stdout() {
  "$@" >&-
}

@test "show-ip of a container that shares the host's network" {
  guest_tree shared busybox
  guest_conf shared </dev/null
  verb 125 show-ip shared
  matches "$output" "container 'shared' shares the host's network"
  # the host's addresses are not its own while it runs
  guest_start shared
  verb 125 show-ip shared
  matches "$output" "container 'shared' shares the host's network"
  equal "$(member shared addresses)" '[]'
}

@test "logs: console and unit, the last lines, following" {
  guest_up talk </dev/null
  inside talk 'echo hello-console >/dev/console'
  poll 10 logs_have talk hello-console
  poll 20 logs_have talk 'systemd: Started container-talk.service'
  logs_have talk 'Multi-User System'
  # its boot has no more to say; not what an earlier one has said
  poll 20 logs_end_with talk 'GNU/Linux 12 talk console'
  equal "$(narthex logs -n 3 talk | wc -l)" 3
  verb 2 logs -n x talk
  matches "$output" "'x' is no number of lines"
  narthex logs -f talk >"$BATS_TEST_TMPDIR/followed" 3>&- &
  echo $! >"$BATS_TEST_TMPDIR/pid"
  poll 10 test -s "$BATS_TEST_TMPDIR/followed"
  inside talk 'printf "later \033[31mline\n" >/dev/console'
  poll 10 grep -q 'later' "$BATS_TEST_TMPDIR/followed"
  run ! grep -q $'\033' "$BATS_TEST_TMPDIR/followed"
  equal "$(narthex logs -n 0 talk 2>&1)" ''
  narthex logs -f -n 0 talk >"$BATS_TEST_TMPDIR/new" 3>&- &
  echo $! >>"$BATS_TEST_TMPDIR/pid"
  poll 20 said_anew "$BATS_TEST_TMPDIR/new"
  run ! grep -qv 'anew' "$BATS_TEST_TMPDIR/new"
}

said_anew() { # FILE
  inside talk 'echo anew >/dev/console'
  [ -s "$1" ]
}

logs_end_with() { # NAME TEXT
  narthex logs -n 10 "$1" | grep -qF "$2"
}

logs_have() { # NAME TEXT
  narthex logs "$1" | grep -qF "$2"
}

@test "a launcher that was killed: status says so, systemd starts it again" {
  guest_up crash </dev/null
  kill -KILL "$(launcher_pid crash)"
  poll 30 started_anew crash
}

started_anew() { # NAME
  [ "$(systemctl show -P NRestarts "container-$1")" = 1 ] && state_is "$1" running
}

@test "many at once" {
  local n names=()
  for n in 1 2 3 4 5; do
    guest_tree "m$n"
    guest_conf "m$n" </dev/null
    names+=("m$n")
  done
  verb 0 start "${names[@]}"
  equal "$(narthex list | grep -c ' running ')" 5
  verb 0 stop "${names[@]}"
  equal "$(narthex list | grep -c ' stopped ')" 5
}
