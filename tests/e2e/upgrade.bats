#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Another launcher in the place of the running one: the guest goes on, or the old launcher does.

load lib

installed=/usr/lib/narthex/narthex-launch
saved=$installed.saved

setup_file() {
  cp -a $installed $saved
  mkdir -p /srv/upgrade
  echo shared >/srv/upgrade/file
  chmod 0755 /srv/upgrade
  guest_up up <<'END'
[Network]
HostAddress=10.98.0.1
LocalAddress=10.98.0.2
Port=7080:7081
[Files]
Bind=/srv/upgrade:/mnt/shared
END
}

teardown_file() {
  guests_remove_all
  put $saved
  rm -rf /srv/upgrade $saved
}

teardown() {
  explain_failure
  put $saved
}

# Installs FILE as a package does: another file of the same name.
put() { # FILE
  cp -a "$1" $installed.new
  mv $installed.new $installed
}

# Whether the launcher's process executes the file that is installed.
runs_installed() { # NAME
  [ "/proc/$(launcher_pid "$1")/exe" -ef $installed ]
}

launcher_fds() {
  find "/proc/$(launcher_pid up)/fd" -type l | wc -l
}

# It has answered everybody, and its helpers (systemd-machined is told of the guest) have ended.
settled() {
  [ "$(pgrep -P "$(launcher_pid up)" | wc -l)" = 1 ] && [ "$(launcher_fds)" -le "${1:-$(launcher_fds)}" ]
}

# What the launcher has said since this start, without what systemd says of it. Another file has a container of that name, too.
console() {
  journalctl -q -o cat _SYSTEMD_UNIT=container-up.service _SYSTEMD_INVOCATION_ID="$(systemctl show -P InvocationID container-up)"
}

console_has() { # TEXT
  console | grep -q -- "$1"
}

@test "connection, session, console, port, bind and pid stay, over ten launchers in a row" {
  local pid before i
  pid=$(launcher_pid up)
  poll 30 settled
  before=$(launcher_fds)
  # the guest connects to the host and answers what it hears there
  mkfifo "$BATS_TEST_TMPDIR/to"
  socat - tcp-listen:7000,bind=10.98.0.1,reuseaddr <"$BATS_TEST_TMPDIR/to" >"$BATS_TEST_TMPDIR/from" 3>&- &
  exec 8>"$BATS_TEST_TMPDIR/to"
  (
    ended=0
    narthex exec up -- bash -c 'until exec 5<>/dev/tcp/10.98.0.1/7000; do sleep 0.1; done; cat <&5 >&5; exit 41' \
      >"$BATS_TEST_TMPDIR/session" 2>&1 3>&- 8>&- || ended=$?
    echo $ended >"$BATS_TEST_TMPDIR/status"
  ) 3>&- 8>&- &
  echo before >&8
  poll 30 grep -q before "$BATS_TEST_TMPDIR/from"
  # nothing of its boot comes in between
  poll 30 console_has 'GNU/Linux 12 up console'
  # journald takes no more than 10,000 lines in half a minute
  narthex exec up -- sh -c 'exec >/dev/console; echo; i=0; while [ $i -lt 4000 ]; do
    i=$((i + 1)); echo line $i; [ $((i % 200)) != 0 ] || sleep 0.1; done; echo lines end' 3>&- 8>&- &
  poll 30 console_has 'line 2[0-9]*$'
  for i in $(seq 10); do
    put $saved
    run -0 narthex reload --launcher up
    matches "$output" '^applied: launcher [0-9.]+ \(was [0-9.]+\)$'
    runs_installed up
    equal "$(launcher_pid up)" "$pid"
    echo "after $i" >&8
    poll 20 grep -q "after $i" "$BATS_TEST_TMPDIR/from"
  done
  poll 30 settled "$before"
  # the same file again is no news
  run -0 narthex reload --launcher up
  equal "$output" ""
  exec 8>&-
  poll 20 test -s "$BATS_TEST_TMPDIR/status"
  equal "$(cat "$BATS_TEST_TMPDIR/status")" 41
  poll 60 console_has 'lines end'
  # the launcher's own words, and getty's prompt, may come in the middle of a line
  console | tr -d '\n' | sed -E "s/(<6>)?container 'up' goes on under launcher [^)]*\)//g
    s/up login: //g" | grep -q "$(seq 4000 | sed 's/^/line /' | tr -d '\n')lines end"
  # what was handed over still works: a terminal, the port that is held, a bind that goes away
  equal "$(narthex exec -t up -- echo terminal </dev/null | tr -d '\r')" terminal
  run -1 timeout 10 socat -u tcp-listen:7080 -
  sed -i /^Bind=/d "$conf_dir/up.conf"
  run -0 narthex reload up
  matches "$output" 'applied: .Files. Bind=.* removed'
  equal "$(inside up 'ls /mnt/shared')" ""
}

@test "systemctl reload replaces it too, a dry run only says so, and a reboot follows" {
  local leader
  put $saved
  run -0 narthex reload --dry-run up
  matches "$output" '^would be applied: launcher [0-9.]+ \(is [0-9.]+\)'
  run ! runs_installed up
  systemctl reload container-up
  runs_installed up
  leader=$(guest_leader up)
  timeout $((60 * ease)) narthex reboot up
  [ "$(guest_leader up)" != "$leader" ]
  equal "$(inside up 'echo again')" again
  # who is there listens to what the next one listened to
  put $saved
  narthex reload --launcher up
  equal "$(narthex status up --json | grep -o '"boots": *[0-9]*' | grep -o '[0-9]*')" 2
}

# The launcher that is installed can't go on: the old one does, and says why.
stays() { # PATTERN
  local pid exe
  pid=$(launcher_pid up)
  exe=$(stat -L -c %i "/proc/$pid/exe")
  run -125 narthex reload --launcher up
  matches "$output" "$1" || return 1
  matches "$output" "container 'up' keeps its launcher" || return 1
  equal "$(launcher_pid up)" "$pid" || return 1
  equal "$(stat -L -c %i "/proc/$pid/exe")" "$exe" || return 1
  equal "$(inside up 'echo alive')" alive
}

# FILE in the place of the launcher, which is there again afterwards.
installs() { # TEXT
  printf '%s\n' "$1" >"$BATS_TEST_TMPDIR/file"
  chmod 0755 "$BATS_TEST_TMPDIR/file"
  put "$BATS_TEST_TMPDIR/file"
}

@test "a launcher that is missing, broken, foreign, or of another version is refused" {
  local before
  poll 30 settled
  before=$(launcher_fds)
  rm $installed
  stays 'No such file'
  installs $'#!/bin/sh\necho broken >&2\nexit 3'
  stays 'broken.*status 3'
  installs $'#!/bin/sh\nexit 0'
  stays "can't go on"
  installs 'no program'
  stays 'Exec format error'
  chmod 0775 $installed
  stays 'only root can write to'
  installs "#!/bin/sh
    printf 'narthex-launch=9\\0' >/run/record
    exec 9</run/record
    NARTHEX_HAND_OVER=check:9 exec $saved up"
  stays 'hands over in version 9, this one takes version 1: restart the container'
  # with a reload of the configuration it is a warning
  run -0 narthex reload up
  matches "$output" "warning|keeps its launcher"
  matches "$output" 'nothing has changed'
  poll 30 settled "$before"
}

@test "killed afterwards it takes the guest along, and starts again under the new one" {
  local pid leader
  put $saved
  narthex reload --launcher up
  pid=$(launcher_pid up)
  leader=$(guest_leader up)
  kill -KILL "$pid"
  poll 30 not kill -0 "$leader"
  poll 60 restarted up "$pid"
  equal "$(inside up 'echo back')" back
  guest_stop up
  none_left up
}

@test "without a name all that run are replaced; exit status and clean-up are right afterwards" {
  local name
  for name in exits powers; do
    guest_tree $name busybox
  done
  guest_conf exits <<'END'
[Exec]
Boot=no
NotifyReady=no
Parameters=/bin/sh -c "until [ -e /root/go ]; do usleep 50000; done; exit 7"
[Service]
Restart=no
END
  guest_conf powers </dev/null
  guest_start exits
  guest_start powers
  put $saved
  run -0 narthex reload --launcher
  equal "$(grep -c '^applied: launcher' <<<"$output")" 2
  runs_installed exits
  runs_installed powers
  touch "$containers/exits/root/go"
  poll 20 equal_state exits failed
  equal "$(systemctl show -P ExecMainStatus container-exits)" 7
  inside powers poweroff || true
  poll 60 equal_state powers inactive
  equal "$(systemctl show -P Result container-powers)" success
  none_left powers
}

equal_state() { # NAME STATE
  [ "$(systemctl show -P ActiveState "container-$1")" = "$2" ]
}
