#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Containers are machines of systemd-machined, where there is one.

load lib

setup_file() {
  guest_up mach <<'END'
[Network]
HostAddress=10.24.0.1
LocalAddress=10.24.0.2
END
}

teardown() {
  systemctl stop impostor.service 2>/dev/null || true
  systemctl unmask systemd-machined.service 2>/dev/null || true
}

teardown_file() {
  guests_remove_all
}

property() { # NAME PROPERTY
  machinectl show -p "$2" --value "$1" 2>/dev/null
}

# machined knows the guest that is running now
registered() { # NAME
  [ -n "$(guest_leader "$1")" ] && [ "$(property "$1" Leader)" = "$(guest_leader "$1")" ]
}

restart_guest() {
  guest_stop mach
  guest_start mach
}

@test "registered: leader, class, root, unit, interface, addresses" {
  poll 20 registered mach
  equal "$(property mach Class)" container
  equal "$(property mach Unit)" container-mach.service
  equal "$(property mach RootDirectory)" "$containers/mach"
  equal "$(property mach Service)" narthex
  matches "$(machinectl list --no-legend)" 'mach +container +narthex'
  run machinectl status mach --no-pager
  equal "$status" 0
  matches "$output" 'Iface: c-mach'
  matches "$output" '10\.24\.0\.2'
}

@test "its id is the guest's container_uuid" {
  poll 20 registered mach
  equal "$(property mach Id)" "$(inside mach 'tr "\0" "\n" </proc/1/environ | sed -n s/container_uuid=//p')"
}

@test "machinectl shell, systemctl -M, journalctl -M" {
  poll 20 registered mach
  run timeout $((30 * ease)) machinectl -q shell mach /bin/cat /etc/hostname /proc/1/comm </dev/null
  equal "$status" 0
  matches "$output" systemd
  equal "$(timeout $((30 * ease)) systemctl -M mach is-system-running --wait)" running
  matches "$(timeout $((30 * ease)) systemctl -M mach list-units --no-legend --no-pager)" systemd-journald.service
  inside mach 'logger -t proof journal-of-mach; journalctl --sync'
  matches "$(journalctl -M mach -t proof -o cat --no-pager)" journal-of-mach
}

@test "machinectl login" {
  poll 20 registered mach
  converse '
    spawn -noecho machinectl login mach
    need "login: $"
    send "\x1d\x1d\x1d"
    need_eof
  '
}

@test "after a reboot it is the new guest" {
  local before
  poll 20 registered mach
  before=$(guest_leader mach)
  timeout $((60 * ease)) narthex reboot mach
  [ "$(guest_leader mach)" != "$before" ]
  poll 20 registered mach
  equal "$(machinectl list --no-legend | wc -l)" 1
}

@test "machinectl reboot, poweroff and terminate do what they say" {
  local before
  poll 20 registered mach
  before=$(guest_leader mach)
  machinectl reboot mach
  poll 40 other_leader mach "$before"
  poll 40 registered mach
  equal "$(systemctl is-active container-mach)" active
  machinectl poweroff mach
  poll 40 is_inactive mach
  poll 20 not machinectl show mach
  guest_start mach
  poll 20 registered mach
  machinectl terminate mach
  poll 40 is_inactive mach
  equal "$(systemctl show -P Result container-mach)" success
  poll 20 not machinectl show mach
  none_left mach
  guest_start mach
}

other_leader() { # NAME PID
  [ -n "$(guest_leader "$1")" ] && [ "$(guest_leader "$1")" != "$2" ]
}

is_inactive() { # NAME
  [ "$(systemctl is-active "container-$1")" = inactive ]
}

@test "a stop and a crash leave no machine" {
  local launcher
  poll 20 registered mach
  guest_stop mach
  poll 20 not machinectl show mach
  guest_start mach
  poll 20 registered mach
  launcher=$(launcher_pid mach)
  kill -KILL "$launcher"
  poll 40 restarted mach "$launcher"
  poll 40 registered mach
}

@test "machined restarts: the machine stays known" {
  local pid
  poll 20 registered mach
  systemctl restart systemd-machined
  poll 20 registered mach
  # and while a guest boots
  systemctl restart systemd-machined 3>&- &
  pid=$!
  restart_guest
  wait "$pid"
  poll 20 registered mach
}

@test "without machined it runs as well" {
  guest_stop mach
  systemctl mask --runtime --now systemd-machined.service
  guest_start mach
  equal "$(inside mach 'echo works')" works
  # nothing was logged about it
  equal "$(journalctl -u container-mach --no-pager -o cat _SYSTEMD_INVOCATION_ID="$(systemctl show -P InvocationID container-mach)" |
    grep -ci machined || true)" 0
  systemctl unmask --runtime systemd-machined.service
  restart_guest
  poll 20 registered mach
}

# A machine called mach in a service of its own, whose leader can end without the service.
impostor() {
  systemd-run --quiet --unit=impostor -p Type=exec sh -c "sleep 600 & echo \$! >/run/impostor.pid; exec sleep 600"
  poll 20 test -s /run/impostor.pid
  busctl call org.freedesktop.machine1 /org/freedesktop/machine1 org.freedesktop.machine1.Manager \
    RegisterMachine sayssus mach 0 test container "$(cat /run/impostor.pid)" /
}

@test "a stale name is taken over" {
  guest_stop mach
  poll 20 not machinectl show mach
  rm -f /run/impostor.pid
  impostor
  kill -KILL "$(cat /run/impostor.pid)"
  # its parent doesn't care
  poll 20 grep -q '^State:.*Z' "/proc/$(cat /run/impostor.pid)/status"
  # machined goes on believing in it, because the unit lives
  equal "$(property mach Unit)" impostor.service
  guest_start mach
  poll 20 registered mach
}

@test "a living stranger keeps the name, and is left alone" {
  guest_stop mach
  poll 20 not machinectl show mach
  rm -f /run/impostor.pid
  impostor
  guest_start mach
  equal "$(inside mach 'echo works')" works
  poll 20 logged 'knows another machine of this name'
  equal "$(property mach Unit)" impostor.service
  guest_stop mach
  kill -0 "$(cat /run/impostor.pid)"
  systemctl stop impostor
  poll 20 not machinectl show mach
  guest_start mach
}

logged() { # TEXT
  journalctl -u container-mach --no-pager -o cat | grep -qF "$1"
}

@test "a container in the foreground is nobody's machine" {
  local pid
  guest_tree fore
  timeout $((60 * ease)) narthex run --name fore </dev/null >/dev/null 2>&1 3>&- &
  pid=$!
  poll 30 narthex status fore
  not machinectl show fore
  timeout $((60 * ease)) narthex stop fore
  wait "$pid"
  rm -rf --one-file-system "${containers:?}/fore"
}

@test "ephemeral and volatile: the root is the live one" {
  local setting
  for setting in $'[Exec]\nEphemeral=yes' $'[Files]\nVolatile=overlay'; do
    guest_tree eph
    guest_conf eph <<<"$setting"
    guest_start eph
    poll 20 registered eph
    equal "$(property eph RootDirectory)" /run/narthex/eph/root
    echo 'logger -t proof only-now; journalctl --sync' |
      timeout $((60 * ease)) socat -t 50 - unix:/run/narthex/eph/doors/root-shell.socket
    matches "$(journalctl -M eph -t proof -o cat --no-pager)" only-now
    guest_remove eph
  done
}
