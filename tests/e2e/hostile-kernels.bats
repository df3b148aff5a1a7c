#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Older kernels: each call that we rely on fails alone, as where it isn't known. Either the documented fallback does
# the same work, or a message says which kernel is needed (docs/hostile.md has the table).

load lib

deny=/build/tests/deny

setup_file() {
  guest_tree kernels busybox
  busybox_doors kernels
  guest_conf kernels </dev/null
  guest_start kernels
  poll 20 narthex exec kernels -- true
}

# busybox's init starts an agent with every door where clients look for it.
busybox_doors() { # NAME
  local doors='' d
  for d in login root-login root-shell exec; do
    doors+=" --listen $d=/run/host/narthex/doors/$d.socket"
    doors+=" --listen $d=/var/lib/$d.socket"
  done
  sed -i "s|^::respawn:.*|::respawn:/run/host/narthex/narthex-agent$doors|" "$containers/$1/etc/inittab"
}

teardown_file() {
  guests_remove_all
}

# A busybox as the payload, with one thing missing.
run_without() { # WHAT
  local more=()
  [ "$flavour" = userns ] || more=(--private-users=no)
  run --separate-stderr timeout $((60 * ease)) "$deny" "$1" -- narthex run --root "$containers/.templates/busybox" \
    --name old "${more[@]}" -- /bin/echo inside
}

@test "a launcher that lacks a call refuses, names it and the kernel, and leaves nothing" {
  local call since
  while read -r call since; do
    run_without "$call"
    equal "$call $status $output" "$call 125 "
    matches "$stderr" "no $call, which came with Linux $since"
    [ ! -e /run/narthex/old ] || fail "$call: state is left"
  done <<'END'
openat2 5.6
clone3 5.3
fsopen 5.2
open_tree 5.2
move_mount 5.2
mount_setattr 5.12
close_range 5.9
pidfd_open 5.3
pidfd_send_signal 5.1
END
}

@test "a launcher does without SO_PEERPIDFD and SO_PASSRIGHTS" {
  local option
  for option in SO_PEERPIDFD SO_PASSRIGHTS; do
    run_without "$option"
    equal "$option $status $output" "$option 0 inside"
  done
}

# The builder's Kth call of fsconfig is the one that says whose the procfs is: one option of many, which a kernel either
# knows or refuses.
@test "a launcher does without the option pidns of procfs: a process goes in" {
  local launch k more=()
  [ "$flavour" = userns ] || more=(--set Exec.PrivateUsers=no)
  launch=(/usr/lib/narthex/narthex-launch --foreground --root "$containers/.templates/busybox" --name old --set Exec.Boot=no
    "${more[@]}" -- /bin/sh -c 'cd /proc && echo [0-9]*')
  export ASAN_OPTIONS=detect_leaks=0
  run --separate-stderr timeout $((30 * ease)) strace -f -o "$BATS_TEST_TMPDIR/trace" -e trace=fsconfig "${launch[@]}" </dev/null
  equal "$status $output" '0 1'
  k=$(awk '/fsconfig\(/ { n[$1]++ } /"pidns"/ { print n[$1]; exit }' "$BATS_TEST_TMPDIR/trace")
  run --separate-stderr timeout $((30 * ease)) /build/tests/fault H "fsconfig:$k" EINVAL -- "${launch[@]}" </dev/null
  equal "$status $output" '0 1'
  matches "$stderr" 'fault: H [0-9]+ fsconfig EINVAL'
}

@test "a client that lacks openat2 refuses every door and names the kernel" {
  local verb words
  for verb in 'exec kernels -- true' 'shell kernels' 'login kernels'; do
    read -ra words <<<"$verb"
    run timeout $((30 * ease)) "$deny" openat2 -- narthex "${words[@]}" </dev/null
    equal "$verb $status" "$verb 125"
    matches "$output" 'openat2.*Linux 5\.6 is needed'
  done
  run timeout $((30 * ease)) "$deny" openat2 -- narthex cp /etc/hostname kernels:/root/
  equal "$status" 125
  matches "$output" 'openat2.*Linux 5\.6 is needed'
  [ ! -e "$containers/kernels/root/hostname" ]
}

@test "a verb that lacks a call refuses, names it and the kernel, and has done nothing" {
  local verb call since words
  tar -C "$containers/.templates/busybox" -cf "$BATS_TEST_TMPDIR/tar" bin
  while read -r call since verb; do
    read -ra words <<<"$verb"
    run timeout $((30 * ease)) "$deny" "$call" -- narthex "${words[@]}"
    equal "$verb $call $status" "$verb $call 125"
    matches "$output" "no $call: Linux $since is needed"
    [ ! -e "$containers/new" ] && [ ! -e "$conf_dir/new.conf" ]
    # nor a tree that is half there
    equal "$(find "$containers" -maxdepth 1 -newer "$BATS_TEST_TMPDIR/tar" ! -path "$containers")" ''
  done <<END
openat2 5.6 list
pidfd_open 5.3 status kernels
pidfd_send_signal 5.1 reload kernels
open_tree 5.2 create new --from $BATS_TEST_TMPDIR/tar
move_mount 5.2 create new --from $BATS_TEST_TMPDIR/tar
fsopen 5.2 create new --from $BATS_TEST_TMPDIR/tar
mount_setattr 5.12 create new --from $BATS_TEST_TMPDIR/tar
END
}

@test "a client does without clone3, close_range, pidfd_open, the mount calls and SO_PASSRIGHTS" {
  local call
  for call in clone3 close_range pidfd_open pidfd_send_signal open_tree mount_setattr fsopen SO_PASSRIGHTS; do
    run timeout $((30 * ease)) "$deny" "$call" -- narthex exec kernels -- /bin/echo inside
    equal "$call $status $output" "$call 0 inside"
  done
}

@test "a client that lacks SO_PEERPIDFD takes the user namespace for proof, and nothing else" {
  run timeout $((30 * ease)) "$deny" SO_PEERPIDFD -- narthex exec kernels -- /bin/echo inside
  if [ "$flavour" = userns ]; then
    equal "$status $output" '0 inside'
  else
    equal "$status" 125
    matches "$output" 'Linux [0-9.]+ does'
  fi
  # whose container it is can't be known at all
  run timeout $((30 * ease)) "$deny" SO_PEERPIDFD -- narthex exec --root "$containers/kernels" -- /bin/echo inside
  equal "$status" 125
  matches "$output" 'Linux 6\.5 does'
}

@test "a verb that lacks SO_PEERPIDFD knows a container in the foreground, and ends no process that may be another" {
  local pid more=()
  [ "$flavour" = userns ] || more=(--private-users=no)
  narthex run --root "$containers/.templates/busybox" --name front "${more[@]}" -- /bin/sleep 1000 </dev/null >/dev/null 2>&1 3>&- &
  pid=$!
  poll 30 sh -c 'narthex list | grep -q "^front  *running "'
  run timeout $((30 * ease)) "$deny" SO_PEERPIDFD -- narthex list
  matches "$output" 'front +running'
  run timeout $((30 * ease)) "$deny" SO_PEERPIDFD -- narthex kill front
  equal "$status" 125
  matches "$output" "which process runs container 'front' \(Linux 6\.5 does\): end its 'narthex run' yourself"
  kill -0 "$pid"
  narthex kill front
  poll 30 not kill -0 "$pid"
}

@test "an agent that lacks a call refuses to serve, and names the kernel" {
  local call since
  while read -r call since; do
    run timeout $((30 * ease)) "$deny" "$call" -- /build/narthex-agent \
      --listen "root-shell=$BATS_TEST_TMPDIR/door"
    equal "$call $status" "$call 1"
    matches "$output" "no $call.*Linux $since"
  done <<'END'
clone3 5.3
close_range 5.9
pidfd_open 5.3
pidfd_send_signal 5.1
END
}
