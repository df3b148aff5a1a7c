#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Many sessions on all doors, with traffic that is compared byte for byte, while the agent is killed or restarted, or the launcher
# replaced, all the time (tests/torture/torture.c). make torture does it for longer.

load lib

launcher=/usr/lib/narthex/narthex-launch

setup_file() {
  guest_up live </dev/null
  install -m 0755 /build/tests/torture-payload "$containers/live/torture-payload"
}

teardown_file() {
  mv -f $launcher.saved $launcher 2>/dev/null || true
  guests_remove_all
}

torture() { # OPTION…
  run /build/tests/torture --seconds="${NARTHEX_TORTURE_SECONDS:-3}" ${NARTHEX_TORTURE_SEED:+--seed="$NARTHEX_TORTURE_SEED"} "$@" live
  # the seed, and figures for whoever reads the log
  printf '# %s\n' "${lines[@]}" >&3
  [ "$status" = 0 ]
  # without sessions that have gone all the way this shows nothing
  matches "$output" '[1-9][0-9]* sessions \(exec [1-9][0-9]*, exec -t [1-9][0-9]*, root-shell [1-9][0-9]*, root-login [1-9][0-9]*, login [1-9]'
  matches "$output" '(agent killed|command run) [1-9][0-9]* times; 0 failed'
}

nothing_in_store() {
  # what is kept empty for the next sessions, the one that asks, and the count of crashes
  [ "$(narthex exec live -- systemctl show -P NFileDescriptorStore narthex-agent)" -le 34 ]
}

no_session_cgroups() {
  [ -z "$(find "/sys/fs/cgroup$(systemctl show -P ControlGroup container-live)" -name 'session-*' -path '*narthex-sessions*')" ]
}

@test "sessions on all doors lose nothing while the agent is killed all the time" {
  torture --kill="/sys/fs/cgroup$(systemctl show -P ControlGroup container-live)/payload/narthex.slice/narthex-agent.service/cgroup.procs"
}

@test "sessions on all doors lose nothing while the agent is restarted all the time" {
  torture --command="nsenter -t $(guest_leader live) -a systemctl restart narthex-agent"
}

@test "sessions on all doors lose nothing while the launcher is replaced all the time" {
  local pid
  pid=$(launcher_pid live)
  cp -a $launcher $launcher.saved
  # the same file again would be no news
  torture --command="cp -a $launcher.saved $launcher.new && mv $launcher.new $launcher && narthex reload --launcher live >/dev/null &&
    [ /proc/$pid/exe -ef $launcher ]"
  equal "$(launcher_pid live)" "$pid"
}

@test "nothing is left of sessions that ended and of those whose clients left" {
  poll 60 equal_count live torture-payloa[d] 0
  poll 60 nothing_in_store
  # they are swept every ten seconds, which make check hasn't
  [ -z "${NARTHEX_TORTURE_SECONDS:-}" ] || poll 60 no_session_cgroups
}
