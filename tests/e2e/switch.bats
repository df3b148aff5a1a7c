#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# switch, rollback, generations: another system in a running container. The systems are built by Nix (systems.nix), in the
# store of the test host, without a network; the container's tree is empty.

load lib

system() { # VERSION [STATUS]: builds one and prints its path
  nix-build --no-out-link /src/tests/e2e/systems.nix --arg busybox /srv/busybox \
    --argstr version "$1" --argstr status "${2:-0}" 2>/dev/null
}

setup_file() {
  mkdir -p /etc/nix /srv/busybox
  printf '%s\n' 'build-users-group =' 'sandbox = false' 'substitute = false' >/etc/nix/nix.conf
  cp /bin/busybox /srv/busybox/
  build >"$BATS_FILE_TMPDIR/systems"
}

build() {
  printf '%s\n' "one=$(system one)" "two=$(system two)" "bad=$(system bad 7)" "boots=$(system boots 100)"
}

# Not by the environment: the garbage collector looks for what is in use there, too.
setup() {
  # shellcheck disable=SC1091
  . "$BATS_FILE_TMPDIR/systems"
}

teardown_file() {
  rm -rf --one-file-system /nix /etc/nix /srv/busybox
}

teardown() {
  explain_failure
  narthex destroy --yes foo 2>/dev/null || true
  guests_remove_all
}

# A container of system one, up.
up() {
  local users=()
  [ "$flavour" = userns ] || users=(--private-users no)
  narthex create foo --path "$one" "${users[@]}"
  narthex start foo
  poll 20 narthex exec foo -- true
  poll 20 narthex exec foo -- test -e /run/counter
}

counter() {
  narthex exec foo -- cat /run/counter
}

counts_on() { # FROM
  [ "$(counter)" -gt "$1" ]
}

@test "a system in an empty tree: its doors, its profile, the store read-only" {
  up
  equal "$(readlink /nix/var/nix/profiles/containers/foo)" foo-1-link
  equal "$(readlink /nix/var/nix/profiles/containers/foo-1-link)" "$one"
  equal "$(narthex exec foo -- cat /run/version)" one
  equal "$(inside foo 'cat /run/version')" one
  run narthex exec foo -- touch "$one/x" /nix/store/x
  [ "$status" = 1 ]
  [ ! -e "$one/x" ]
  [ ! -e /nix/store/x ]
}

noted() { # TIME FROM TO: since then, exactly once
  [ "$(journalctl -q -o cat --since="@$1" NARTHEX_CONTAINER=foo --output-fields=NARTHEX_FROM)" = "$2" ] &&
    [ "$(journalctl -q -o cat --since="@$1" NARTHEX_CONTAINER=foo --output-fields=NARTHEX_TO)" = "$3" ]
}

@test "switch: the new system is active, its words and status come, what ran goes on" {
  up
  local pid before since
  since=$(date +%s.%6N)
  pid=$(narthex exec foo -- cat /run/counter.pid)
  before=$(counter)
  run --separate-stderr narthex switch foo --path "$two"
  equal "$status" 0
  equal "$output" "switching to two: test"$'\n'"container 'foo' switched from $one to $two"
  # shellcheck disable=SC2154 # of run
  equal "$stderr" "as root in $two"
  equal "$(narthex exec foo -- cat /run/version)" two
  equal "$(readlink /run/narthex/foo/system/current)" "$two"
  equal "$(readlink /run/narthex/foo/system/booted)" "$one"
  equal "$(narthex exec foo -- cat /run/counter.pid)" "$pid"
  poll 10 counts_on "$before"
  # one entry says from what to what
  poll 20 noted "$since" "$one" "$two"
  # and it is among the container's own
  matches "$(narthex logs --lines 20 foo)" "container 'foo' switched from $one to $two"
  # nothing to do is no error
  run narthex switch foo
  equal "$status" 0
  matches "$output" 'already'
}

@test "rollback, generations, and a restart starts what the profile leads to" {
  up
  narthex switch foo --path "$two"
  narthex rollback foo
  equal "$(narthex exec foo -- cat /run/version)" one
  equal "$(narthex generations foo --json | sed 's/"since":[0-9]*,//g')" \
    "[{\"generation\":1,\"system\":\"$one\",\"profile\":true,\"current\":true,\"booted\":true},{\"generation\":2,\"system\":\"$two\",\"profile\":false,\"current\":false,\"booted\":false}]"
  run narthex rollback foo
  equal "$status" 125
  matches "$output" "no earlier generation"
  # nor can a container take the name of one of them
  run narthex create foo-2-link --path "$two"
  equal "$status" 125
  matches "$output" "can't be named 'foo-2-link'"
  [ ! -e "$containers/foo-2-link" ] && [ ! -e "$conf_dir/foo-2-link.conf" ]
  narthex stop foo
  run narthex switch foo --path "$two"
  equal "$status" 0
  matches "$output" "it will start with $two"
  narthex start foo
  poll 20 narthex exec foo -- true
  equal "$(narthex exec foo -- cat /run/version)" two
}

status_noted() { # TO STATUS
  [ "$(journalctl -q -o cat NARTHEX_CONTAINER=foo NARTHEX_TO="$1" --output-fields=NARTHEX_STATUS | sort -u)" = "$2" ]
}

@test "a switch that fails: its status, and the profile goes back" {
  up
  run narthex switch foo --path "$bad"
  equal "$status" 7
  matches "$output" 'switching to bad: test'
  matches "$output" 'the profile is back at generation 1'
  equal "$(readlink /nix/var/nix/profiles/containers/foo)" foo-1-link
  [ ! -L /nix/var/nix/profiles/containers/foo-2-link ]
  equal "$(readlink /run/narthex/foo/system/current)" "$one"
  poll 20 status_noted "$bad" 7
  # also where somebody else moved the profile
  nix-env --profile /nix/var/nix/profiles/containers/foo --set "$bad"
  run narthex switch foo
  equal "$status" 7
  equal "$(readlink /nix/var/nix/profiles/containers/foo)" foo-1-link
}

# The command alone would be told by a key; timeout and ssh tell narthex.
@test "a switch that is interrupted ends the command, and the profile goes back" {
  local pid signal conf=/etc/narthex/foo.conf
  up
  printf '[Exec]\nSwitchCommand=/bin/sh -c "touch /run/begun; until [ -e /run/stop ]; do sleep 0.1; done; exit 7"\n' >>"$conf"
  for signal in TERM HUP; do
    narthex exec foo -- rm -f /run/begun
    narthex switch foo --path "$two" >"$BATS_TEST_TMPDIR/said" 2>&1 3>&- &
    pid=$!
    poll 60 narthex exec foo -- test -e /run/begun
    kill -$signal $pid
    wait $pid && status=0 || status=$?
    equal "$status" $((128 + $(kill -l $signal)))
    matches "$(cat "$BATS_TEST_TMPDIR/said")" 'the profile is back at generation 1'
    equal "$(readlink -f /nix/var/nix/profiles/containers/foo)" "$one"
    poll 20 waits_no_more
  done
  # and without a reader of its words
  narthex exec foo -- rm -f /run/begun
  narthex switch foo --path "$two" 2>&1 3>&- | true &
  poll 60 narthex exec foo -- test -e /run/begun
  not is_back
  narthex exec foo -- touch /run/stop
  poll 60 is_back
}

waits_no_more() {
  [ "$(guest_count foo /run/begun)" = 0 ]
}

is_back() {
  [ "$(readlink -f /nix/var/nix/profiles/containers/foo)" = "$one" ]
}

@test "a profile that is there already is not taken, nor removed" {
  up
  narthex stop foo
  mv /etc/narthex/foo.conf "$BATS_TEST_TMPDIR/"
  rm -rf --one-file-system "$containers/foo"
  run -125 --separate-stderr narthex create foo --path "$two"
  matches "$stderr" 'there is a profile /nix/var/nix/profiles/containers/foo already'
  equal "$(readlink -f /nix/var/nix/profiles/containers/foo)" "$one"
  # for the end
  mv "$BATS_TEST_TMPDIR/foo.conf" /etc/narthex/
}

@test "what needs a reboot is said, and done when asked for" {
  up
  run narthex switch foo --path "$boots"
  equal "$status" 100
  matches "$output" 'needs its reboot'
  equal "$(readlink /run/narthex/foo/system/current)" "$one"
  equal "$(readlink -f /nix/var/nix/profiles/containers/foo)" "$boots"
  narthex switch foo --reboot
  poll 20 narthex exec foo -- true
  equal "$(narthex exec foo -- cat /run/version)" boots
  equal "$(readlink /run/narthex/foo/system/booted)" "$boots"
}

@test "the counter inside goes on over ten switches" {
  up
  local i before
  for i in 1 2 3 4 5; do
    before=$(counter)
    narthex switch foo --path "$two"
    narthex switch foo --path "$one"
    poll 10 counts_on "$before"
  done
  equal "$(readlink /run/narthex/foo/system/booted)" "$one"
  equal "$(narthex status foo --json | grep -o '"boots":[0-9]*')" '"boots":1'
}

@test "systemctl reload: the profile moved on, host and guest follow" {
  up
  local before
  before=$(counter)
  nix-env --profile /nix/var/nix/profiles/containers/foo --set "$two"
  timeout 60 systemctl reload container-foo
  equal "$(narthex exec foo -- cat /run/version)" two
  counts_on $((before - 1))
  # another Path= of a declared container, too
  sed -i "s|^Path=.*|Path=$one|" "$conf_dir/foo.conf"
  timeout 60 systemctl reload container-foo
  equal "$(narthex exec foo -- cat /run/version)" one
  # which is no profile that could be set
  run narthex switch foo --path "$two"
  equal "$status" 125
  matches "$output" 'not a profile'
}

@test "nix-store --gc while it runs: what runs stays, old generations go after a prune" {
  up
  local unused
  unused=$(system unused)
  narthex switch foo --path "$two"
  narthex switch foo --path "$one"
  narthex switch foo --path "$two"
  # the profile alone would hold nothing of these two
  narthex generations foo --prune
  nix-env --profile /nix/var/nix/profiles/containers/foo --set "$bad"
  nix-env --profile /nix/var/nix/profiles/containers/foo --delete-generations old
  nix-store --gc >/dev/null 2>&1
  [ ! -e "$unused" ]
  [ -e "$one/init" ]
  [ -e "$two/init" ]
  [ -e "$bad/init" ]
  equal "$(narthex exec foo -- cat /run/version)" two
  # when it has stopped, only its profile holds anything; a destroyed one holds nothing
  narthex stop foo
  nix-store --gc >/dev/null 2>&1
  [ ! -e "$one" ]
  [ ! -e "$two" ]
  narthex destroy --yes foo
  [ -z "$(find /nix/var/nix/profiles/containers /nix/var/nix/gcroots/narthex -name 'foo*')" ]
  nix-store --gc >/dev/null 2>&1
  [ ! -e "$bad" ]
  # for the tests that follow
  equal "$(build)" "$(cat "$BATS_FILE_TMPDIR/systems")"
}

@test "a guest's own profile is not the host's to set" {
  guest_tree foo
  guest_conf foo <<END
[Exec]
Path=/nix/var/nix/profiles/per-container/foo/system
[Files]
PerContainerNix=yes
END
  run narthex switch foo --path "$two"
  equal "$status" 125
  matches "$output" "container's own profile"
}

@test "a Debian guest: units whose files changed are restarted, the others go on; SwitchCommand=" {
  guest_tree foo
  local unit pid='systemctl show --property=MainPID --value' stays changes
  for unit in changes stays; do
    printf '[Service]\nExecStart=/bin/sleep infinity\n' >"$containers/foo/etc/systemd/system/$unit.service"
    ln -s "../$unit.service" "$containers/foo/etc/systemd/system/multi-user.target.wants/"
  done
  guest_conf foo </dev/null
  guest_start foo
  # shellcheck disable=SC2086 # words
  stays=$(narthex exec foo -- $pid stays) changes=$(narthex exec foo -- $pid changes)
  [ "$stays" -gt 1 ]
  printf '[Service]\nExecStart=/bin/sleep 1000000\n' >"$containers/foo/etc/systemd/system/changes.service"
  run narthex switch foo
  equal "$status" 0
  matches "$output" 'restarting: changes.service'
  # shellcheck disable=SC2086
  equal "$(narthex exec foo -- $pid stays)" "$stays"
  # shellcheck disable=SC2086
  [ "$(narthex exec foo -- $pid changes)" != "$changes" ]
  matches "$(narthex exec foo -- systemctl show --property=ExecStart changes)" 'sleep 1000000'

  printf '[Exec]\nSwitchCommand=/bin/sh -c "echo mine; exit 3"\n' >"$conf_dir/foo.conf"
  run narthex switch foo
  equal "$status" 3
  matches "$output" 'mine'
}
