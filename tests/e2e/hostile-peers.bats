#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What the root of a guest does to those who come in, to its host's terminals and programs, and to the guest next door.

load lib

peer=/usr/local/bin/peer
doors=/run/narthex/mean/doors

setup_file() {
  local name
  for name in mean next; do
    guest_tree $name
    cp /build/tests/peer "$containers/$name$peer"
    guest_conf $name <<'END'
[Network]
Private=yes
END
    guest_start $name
    poll 30 narthex exec $name -- true
  done
}

teardown_file() {
  guests_remove_all
}

userns() {
  [ "$flavour" = userns ]
}

# --- the reverse handle ---------------------------------------------------------------------------------

# The guest's own program in place of its door, as its root would do it. $trap is where it reports, in the guest.
trap_set() { # DOOR TYPE
  trap=/root/trap-$1
  narthex exec --detach mean -- systemd-run --quiet --collect --unit="trap-$1" --property=StandardOutput="file:$trap.out" \
    $peer trap "/run/host/narthex/doors/new-$1" "$2" $trap
  poll 20 grep -q ready "$containers/mean$trap.out"
  mv -T "$doors/$1.socket" "$doors/$1.was"
  mv -T "$doors/new-$1" "$doors/$1.socket"
}

trap_remove() { # DOOR
  mv -T "$doors/$1.was" "$doors/$1.socket"
  narthex exec mean -- systemctl stop "trap-$1"
}

@test "a handle on whoever knocks opens nothing: no descriptor, no namespace, no signal" {
  local i report
  trap_set exec seqpacket
  for ((i = 0; i < 200; i++)); do
    run timeout $((30 * slow)) narthex exec mean -- true
    # not killed, not waiting: refused by a guest that hangs up
    equal "$status" 125
  done
  run timeout $((30 * slow)) narthex shell mean </dev/null
  equal "$status" 125
  trap_remove exec
  report=$(cat "$containers/mean/root/trap-exec")
  sort <<<"$report" | uniq -c | sort -n
  [ "$(wc -l <<<"$report")" -ge 201 ]
  equal "$(grep -c '=YES.*=YES' <<<"$report")" 0
}

@test "nor does a handle on a client of the login door, host users without root among them" {
  local i report
  trap_set login stream
  for ((i = 0; i < 20; i++)); do
    run timeout $((30 * slow)) narthex login mean </dev/null
    [ "$status" -lt 126 ] || fail "status $status: $output"
    run runuser -u nobody -- timeout $((30 * slow)) narthex login mean </dev/null
    [ "$status" -lt 126 ] || fail "status $status: $output"
  done
  trap_remove login
  report=$(cat "$containers/mean/root/trap-login")
  sort <<<"$report" | uniq -c | sort -n
  [ "$(wc -l <<<"$report")" -ge 40 ]
  equal "$(grep -c '=YES.*=YES' <<<"$report")" 0
}
