#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Start, reboot, poweroff, stop.

load lib

teardown() {
  guests_remove_all
}

boot_id() { # NAME: changes with every boot of the guest
  inside "$1" 'stat -c %Y.%Z /proc/1; systemctl show -P UserspaceTimestampMonotonic'
}

other_boot() { # NAME BOOT-ID
  local now
  now=$(boot_id "$1" 2>/dev/null)
  # whole: in a guest that goes down the door may still answer where systemctl doesn't
  [[ $now =~ ^[0-9.]+$'\n'[0-9]+$ ]] && [ "$now" != "$2" ]
}

@test "started means: the guest is up and its doors answer at once" {
  guest_tree up
  guest_conf up </dev/null
  guest_start up
  # without a second try
  equal "$(echo 'echo here' | timeout $((90 * ease)) socat -t $((80 * ease)) - "unix:$(door up root-shell)")" here
  equal "$(systemctl is-active container-up)" active
  matches "$(inside up 'systemctl is-system-running --wait')" running
  equal "$(inside up 'systemctl --failed --no-legend')" ''
  equal "$(inside up 'cat /proc/1/environ | tr "\0" "\n" | grep ^container=')" container=narthex
  equal "$(inside up 'systemd-detect-virt --container')" container-other
}

@test "the example as printed: echo reboot reboots; three times, network and files stay" {
  local n launcher before
  guest_up again <<'END'
[Network]
HostAddress=10.11.0.1
LocalAddress=10.11.0.2
END
  launcher=$(launcher_pid again)
  inside again 'echo kept >/root/kept; echo gone >/run/gone'
  for n in 1 2 3; do
    before=$(boot_id again)
    bash -c "echo reboot | socat unix:$(door again root-shell) -"
    poll 40 other_boot again "$before"
    equal "$(inside again 'cat /root/kept; ls /run/gone 2>/dev/null')" kept
    ping -c 1 -W 20 10.11.0.2
    # in place: the same launcher, the unit never left active
    equal "$(launcher_pid again)" "$launcher"
    equal "$(systemctl is-active container-again)" active
  done
  guest_stop again
  none_left again
}

@test "poweroff in the guest ends the unit cleanly" {
  guest_up off </dev/null
  bash -c "echo poweroff | socat unix:$(door off root-shell) -"
  poll 40 equal_state off inactive
  equal "$(systemctl show -P Result container-off)" success
  equal "$(systemctl show -P ExecMainStatus container-off)" 0
  none_left off
}

other_agent() { # NAME PID
  local now
  now=$(agent_pids "$1") && [ -n "$now" ] && [ "$now" != "$2" ]
}

# A slice ends nothing, and systemd gives whoever is left at the end of a shutdown 90 seconds.
@test "sessions that ignore every signal don't hold up a shutdown, and a restart of the agent keeps them" {
  local before agent
  guest_up deaf </dev/null
  narthex exec -d deaf -- sh -c "trap '' TERM HUP INT; while :; do sleep 1001; done"
  # left behind, with a session of its own
  narthex exec deaf -- sh -c "trap '' TERM HUP INT; setsid sh -c 'while :; do sleep 1002; done' </dev/null >/dev/null 2>&1 &"
  poll 20 equal_count deaf '^sleep 100[12]' 2
  agent=$(agent_pids deaf)
  narthex exec -d deaf -- systemctl restart narthex-agent
  poll 20 other_agent deaf "$agent"
  equal_count deaf '^sleep 100[12]' 2
  before=$(boot_id deaf)
  narthex exec -d deaf -- systemctl reboot
  poll 45 other_boot deaf "$before"
  equal_count deaf '^sleep 100[12]' 0
}

equal_state() { # NAME STATE
  [ "$(systemctl show -P ActiveState "container-$1")" = "$2" ]
}

@test "stop is orderly: the guest's units are stopped" {
  guest_tree stop
  cat >"$containers/stop/etc/systemd/system/witness.service" <<'END'
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/true
ExecStop=/usr/bin/touch /root/stopped-in-order
[Install]
WantedBy=multi-user.target
END
  mkdir -p "$containers/stop/etc/systemd/system/multi-user.target.wants"
  ln -s ../witness.service "$containers/stop/etc/systemd/system/multi-user.target.wants/"
  guest_conf stop </dev/null
  guest_start stop
  poll 20 witness_up
  guest_stop stop
  not grep 'has not stopped in time' <<<"$(log_of stop)"
  [ -e "$containers/stop/root/stopped-in-order" ]
  equal "$(systemctl show -P Result container-stop)" success
  none_left stop
}

witness_up() {
  [ "$(inside stop 'systemctl is-active witness')" = active ]
}

@test "stop of a guest that ignores every signal ends after the deadline" {
  guest_tree deaf
  guest_conf deaf <<'END'
[Exec]
Boot=no
NotifyReady=no
Parameters=/bin/bash -c "trap '' TERM INT HUP PWR RTMIN+3 RTMIN+4; touch /root/up; while :; do read -rt 1 <> <(:); done"
[Service]
TimeoutStopSec=3
END
  guest_start deaf
  poll 20 test -e "$containers/deaf/root/up"
  SECONDS=0
  guest_stop deaf || true
  [ "$SECONDS" -ge 2 ]
  [ "$SECONDS" -lt $((20 * ease)) ]
  poll 10 not equal_state deaf deactivating
  none_left deaf
}

@test "systemctl restart and stop, start again" {
  local first
  guest_up re </dev/null
  first=$(boot_id re)
  timeout $((60 * ease)) systemctl restart container-re
  poll 20 other_boot re "$first"
  guest_stop re
  guest_start re
  equal "$(inside re 'echo back')" back
}

@test "a tree without an init fails to start, says so, and leaves nothing" {
  mkdir -p "$containers/empty"/{usr,etc,var}
  guest_conf empty </dev/null
  run timeout 60 systemctl start container-empty
  [ "$status" -ne 0 ]
  systemctl stop container-empty
  matches "$(log_of empty)" 'init'
  none_left empty
}

@test "no tree at all: the error names the directory" {
  guest_conf absent </dev/null
  run timeout 60 systemctl start container-absent
  [ "$status" -ne 0 ]
  systemctl stop container-absent
  matches "$(log_of absent)" "$containers/absent"
  none_left absent
}

@test "a failing guest is restarted, and not for ever" {
  guest_tree flap
  guest_conf flap <<'END'
[Exec]
Boot=no
NotifyReady=no
Parameters=/bin/false
[Unit]
StartLimitBurst=3
StartLimitIntervalSec=600
END
  systemctl start container-flap || true
  poll 60 restarts_over flap
  none_left flap
}

restarts_over() { # NAME
  [ "$(systemctl show -P ActiveState "container-$1")" = failed ] && [ "$(systemctl show -P NRestarts "container-$1")" -ge 1 ]
}

@test "AutoStart=yes hangs it into machines.target" {
  guest_tree auto
  guest_conf auto <<'END'
[Exec]
AutoStart=yes
END
  matches "$(systemctl show -P Wants machines.target)" container-auto.service
  systemctl stop machines.target
  timeout $((60 * ease)) systemctl start machines.target
  poll 60 equal_state auto active
}

@test "the guest's console is in the host's journal" {
  guest_up console </dev/null
  inside console 'echo a line on the console >/dev/console'
  poll 10 in_journal console 'a line on the console'
}

in_journal() { # NAME TEXT
  log_of "$1" | grep -q "$2"
}

@test "two containers never write to one tree: the second start is refused, an ephemeral one isn't" {
  local no_userns=()
  [ "$flavour" = userns ] || no_userns=(--private-users=no)
  guest_up alone </dev/null
  printf '[Files]\nRoot=%s\n' "$containers/alone" | guest_conf intruder
  run -125 timeout $((60 * ease)) narthex start intruder
  matches "$output" "container 'alone' runs in '$containers/alone' \(Root=\) already: stop it, or use Ephemeral=yes"
  narthex stop intruder # systemd would try again, and have the tree as soon as it is free
  # under another path it is the same
  mkdir "$BATS_TEST_TMPDIR/there"
  mount --bind "$containers/alone" "$BATS_TEST_TMPDIR/there"
  run -125 timeout $((60 * ease)) narthex run --root "$BATS_TEST_TMPDIR/there" --name intruder2 "${no_userns[@]}" -- true
  matches "$output" "container 'alone' runs in"
  umount "$BATS_TEST_TMPDIR/there"
  run -0 timeout $((60 * ease)) narthex run --root "$containers/alone" --name intruder2 --ephemeral "${no_userns[@]}" -- true
  [ ! -e /run/narthex/intruder2 ]
  equal "$(inside alone 'echo alive')" alive
  guest_stop alone
  run -0 timeout $((60 * ease)) narthex run --root "$containers/alone" --name intruder2 "${no_userns[@]}" -- true
  guest_remove intruder alone
}

@test "users of the host don't get into the trees, whoever made their directory" {
  guest_tree shut
  guest_conf shut </dev/null
  chmod 0755 "$containers"
  guest_start shut
  equal "$(stat -c %a "$containers")" 700
  matches "$(log_of shut)" "$containers has mode 0700 now"
  guest_remove shut
}

@test "the same container twice at once: the second start is refused, the first lives" {
  guest_up twice </dev/null
  run timeout $((20 * ease)) /usr/lib/narthex/narthex-launch --foreground --root "$containers/twice" --name twice
  [ "$status" -ne 0 ]
  matches "$output" 'running|lock|in use'
  equal "$(inside twice 'echo alive')" alive
}
