#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The launcher dies without a word. Nothing accumulates.

load lib

teardown() {
  guests_remove_all
}

network='[Network]
HostAddress=10.12.0.1
LocalAddress=10.12.0.2
HostAddress6=fd00:12::1
LocalAddress6=fd00:12::2
'

@test "kill -9 of the launcher takes the guest down; restarted, everything works; stopped, nothing is left" {
  local launcher leader
  guest_up crash <<<"$network"
  launcher=$(launcher_pid crash)
  leader=$(guest_leader crash)
  kill -KILL "$launcher"
  poll 20 not kill -0 "$leader"
  # Restart=on-failure
  poll 60 restarted crash "$launcher"
  equal "$(inside crash 'echo back')" back
  ping -c 1 -W 20 10.12.0.2
  ping -c 1 -W 20 fd00:12::2
  guest_stop crash
  none_left crash
}

@test "ten crashes in a row, then no interface, mount, cgroup, range or process is left" {
  local n launcher
  guest_conf crash <<END
$network
[Service]
Restart=no
END
  guest_tree crash
  for ((n = 0; n < 10; n++)); do
    systemctl reset-failed container-crash 2>/dev/null || true
    guest_start crash
    launcher=$(launcher_pid crash)
    kill -KILL "$launcher"
    poll 20 is_failed crash
  done
  none_left crash
  systemctl reset-failed container-crash
  guest_start crash
  equal "$(inside crash 'echo alive')" alive
}

@test "kill -9 without a unit that cleans: the next start cleans" {
  local pid no_userns=()
  [ "$flavour" = userns ] || no_userns=(--set Exec.PrivateUsers=no)
  guest_tree crash
  /usr/lib/narthex/narthex-launch --foreground --root "$containers/crash" --name crash \
    --set Network.HostAddress=10.12.0.1 --set Network.LocalAddress=10.12.0.2 "${no_userns[@]}" \
    </dev/null >"$BATS_TEST_TMPDIR/log" 2>&1 3>&- &
  pid=$!
  poll 30 /build/tests/knock first "$(door crash root-shell)" 1 'echo up' up
  kill -KILL "$pid"
  wait "$pid" || true
  poll 20 unlocked crash
  guest_conf crash <<<"$network"
  guest_start crash
  equal "$(inside crash 'echo alive')" alive
  guest_stop crash
  none_left crash
}

@test "a clean-up that can't run narthex-network keeps the lock file, and the next one does the rest" {
  local network=/usr/lib/narthex/narthex-network
  guest_up crash <<'END'
[Network]
HostAddress=10.12.0.1/24
LocalAddress=10.12.0.2/24
Zone=crash
[Service]
ExecStopPost=
Restart=no
END
  kill -KILL "$(launcher_pid crash)"
  poll 30 unlocked crash
  mv $network $network.away
  /usr/lib/narthex/narthex-launch --cleanup crash || true
  mv $network.away $network
  test -s /run/narthex/crash/lock
  test -e /sys/class/net/vz-crash
  /usr/lib/narthex/narthex-launch --cleanup crash
  test ! -e /sys/class/net/vz-crash
  none_left crash
}

@test "narthex-launch --cleanup of a running container refuses and harms nothing" {
  guest_up crash <<<"$network"
  run /usr/lib/narthex/narthex-launch --cleanup crash
  equal "$(inside crash 'echo alive')" alive
  ping -c 1 -W 20 10.12.0.2
}
