#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Many sessions on all doors, with traffic that is compared byte for byte, while the agent is killed or restarted all the time
# (tests/torture/torture.c). make torture does it for longer.

load lib

setup_file() {
  guest_up live </dev/null
  install -m 0755 /build/tests/torture-payload "$containers/live/torture-payload"
}

teardown_file() {
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

@test "nothing is left of sessions that ended and of those whose clients left" {
  poll 60 equal_count live torture-payloa[d] 0
  poll 60 nothing_in_store
  # they are swept every ten seconds, which make check hasn't
  [ -z "${NARTHEX_TORTURE_SECONDS:-}" ] || poll 60 no_session_cgroups
}
