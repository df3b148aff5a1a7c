#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# --root: containers that somebody else runs, with our agent installed in them. systemd-nspawn, and bwrap without an init.

load lib

machine=$containers/machine
unit=foreign-machine

# What `make install` puts into a guest, and the libraries that its Debian lacks.
install_agent() { # TREE
  local file to=$1
  mkdir -p "$to/usr/lib/narthex" "$to/etc/systemd/system/sockets.target.wants"
  cp /usr/lib/narthex/narthex-agent "$to/usr/lib/narthex/"
  for file in $(ldd /usr/lib/narthex/narthex-agent | grep -o '/[^ ]*'); do
    [ -e "$to$file" ] || cp -L "$file" "$to$(realpath "$(dirname "$file")")/"
  done
  for file in narthex-{login,root-login,root-shell,exec}.socket narthex-agent.service narthex-sessions.s{ervice,lice}; do
    cp "/usr/lib/systemd/system/$file" "$to/usr/lib/systemd/system/"
  done
  for file in login root-login root-shell exec; do
    ln -s "/usr/lib/systemd/system/narthex-$file.socket" "$to/etc/systemd/system/sockets.target.wants/"
  done
}

unloaded() {
  [ "$(systemctl show -P LoadState $unit)" = not-found ]
}

start_machine() {
  local users=no
  [ "$flavour" = nouserns ] || users=1879048192:65536
  poll 20 unloaded
  # a cgroup of its own, or it would meet the test host's payload
  systemd-run --quiet --collect --unit=$unit -p Delegate=yes -p Type=notify -E SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 \
    -E SYSTEMD_NSPAWN_API_VFS_WRITABLE=no -E SYSTEMD_SECCOMP=0 \
    systemd-nspawn --quiet --keep-unit --register=no --settings=no --boot --notify-ready=yes \
    --directory="$machine" --machine=machine --private-network --link-journal=no --resolv-conf=off --timezone=off \
    --private-users=$users --private-users-ownership=map --console=read-only
  poll 60 narthex exec --root "$machine" -- true
}

setup_file() {
  guest_tree machine
  install_agent "$machine"
  start_machine || {
    journalctl --no-pager -o cat -n 40 -u $unit >&2
    return 1
  }
}

teardown_file() {
  systemctl stop $unit bwrapped 2>/dev/null || true
  rm -rf --one-file-system "$machine" "$containers/bwrapped"
}

# narthex VERB --root of the machine, with a deadline.
there() { # VERB ARGUMENT…
  local verb=$1
  shift
  timeout $((60 * ease)) narthex "$verb" --root "$machine" "$@"
}

@test "exec: streams, exit status, user, directory, environment" {
  run --separate-stderr there exec -- sh -c 'echo out; echo err >&2; exit 3'
  equal "$status" 3
  equal "$output" out
  # shellcheck disable=SC2154 # bats sets it
  equal "$stderr" err
  equal "$(there exec -u alice -w /tmp -e A=b -- sh -c 'id -un; pwd; echo $A')" $'alice\n/tmp\nb'
  equal "$(there exec -- cat /proc/1/comm)" systemd
  equal "$(head -c 1000000 /dev/zero | there exec -- wc -c)" 1000000
  run -127 there exec -- no-such-command
}

@test "exec -t: a terminal of the machine's own, its user's, with the caller's size" {
  local user
  for user in root alice; do
    run -5 there exec -t -u $user -- sh -c 'test -t 0 && test -t 1 && test -t 2 && tty; stat -c "%U %a" $(tty); echo by name >$(tty); exit 5' </dev/null
    matches "$output" "/dev/pts/[0-9]+.*$user 620.*by name"
  done
  talk root="$machine" 'spawn -noecho sh -c {stty rows 33 cols 101; narthex exec --root $0 -t -- sh -c "stty size; trap \"stty size; exit\" WINCH; echo ready; tail -f /dev/null & wait"} $root
    need {33 101}; need ready
    # one size, one signal: of rows and columns stty makes two
    exec stty rows 41 <$spawn_out(slave,name)
    need {41 101}; need_eof'
}

@test "shell: root's, another user's, and a script" {
  talk root="$machine" 'spawn -noecho narthex shell --root $root
    need {# }; send "tty; id -un; cat /proc/1/comm\r"; need {/dev/pts/[0-9]+}; need root; need systemd; need {# }; send "exit 7\r"; need_eof
    if {[lindex [wait] 3] != 7} { exit 96 }'
  talk root="$machine" 'spawn -noecho narthex shell -u alice --root=$root
    need {[$] }; send "id -un; pwd; exit\r"; need alice; need /home/alice; need_eof'
  equal "$(there shell <<<'id -u; pwd')" $'0\n/root'
  run there shell machine
  equal "$status" 2
}

@test "login with a password" {
  talk root="$machine" 'spawn -noecho narthex login --root $root
    need {login: }; send "alice\r"; need {assword: }; send "alicepw\r"; need {[$] }; send "id -un; exit\r"; need alice; need_eof'
  run there login machine
  equal "$status" 2
}

@test "socat at the other doors" {
  equal "$(inside machine 'id -u; cat /proc/1/comm')" $'0\nsystemd'
  talk door="$(door machine root-login)" 'knock $door; need {# }; send "tty; exit\r"; need {/dev/pts/[0-9]+}; need_eof'
}

@test "cp into it and out of it" {
  echo content >"$BATS_TEST_TMPDIR/file"
  timeout 60 narthex cp --root "$machine" "$BATS_TEST_TMPDIR/file" :/root/copied
  equal "$(there exec -- sh -c 'cat /root/copied; stat -c %U /root/copied')" $'content\nroot'
  timeout 60 narthex cp --root "$machine" :/root/copied "$BATS_TEST_TMPDIR/back"
  cmp "$BATS_TEST_TMPDIR/file" "$BATS_TEST_TMPDIR/back"
}

@test "a guest that has no devpts gets no terminal, and keeps nobody waiting" {
  # in the mount namespace of its PID 1, which a session shares
  there exec -- mount -t tmpfs none /dev/pts
  there exec -- mknod /dev/pts/ptmx p
  run there exec -t -- true </dev/null
  there exec -- umount /dev/pts
  equal "$status" 125
  matches "$output" "no terminal for the root '$machine': its /dev/pts is no devpts"
  run there exec -t -- true </dev/null
  equal "$status" 0
}

@test "a door that leads elsewhere is refused" {
  local pid doors=$machine/var/lib
  mv "$doors/exec.socket" "$doors/moved"
  ln -s moved "$doors/exec.socket"
  run there exec -- true
  rm "$doors/exec.socket"
  equal "$status" 125
  matches "$output" 'no socket'
  # a listener of the host's own
  socat -t 60 "unix-listen:$doors/exec.socket,type=5" - </dev/null >"$BATS_TEST_TMPDIR/canary" 3>&- &
  pid=$!
  poll 20 listens_at "$doors/exec.socket"
  run there exec -- true
  rm -f "$doors/exec.socket"
  mv "$doors/moved" "$doors/exec.socket"
  equal "$status" 125
  matches "$output" 'refusing the door'
  wait "$pid"
  equal "$(wc -c <"$BATS_TEST_TMPDIR/canary")" 0
  there exec -- true
}

@test "a machine that ends takes the session along; then nobody listens" {
  local pid out=$BATS_TEST_TMPDIR/out
  there exec -- sh -c 'echo ready; exec tail -f /dev/null' </dev/null >"$out" 2>&1 3>&- &
  pid=$!
  poll 20 grep -q ready "$out"
  systemctl kill -s KILL $unit
  wait $pid && status=0 || status=$?
  matches "$status $(cat "$out")" '^(125 .*lost the container|137)'
  poll 20 unloaded
  run there exec -- true
  equal "$status" 125
  matches "$output" "nobody listens at the door 'exec' of the root '$machine'"
  # and comes back
  start_machine
}

@test "a container without systemd: bwrap, and an agent that binds its doors itself" {
  local tree=$containers/bwrapped users=()
  guest_tree bwrapped
  install_agent "$tree"
  [ "$flavour" = nouserns ] || users=(--unshare-user --uid 0 --gid 0)
  systemd-run --quiet --unit=bwrapped bwrap --bind "$tree" / --dev /dev --proc /proc --tmpfs /run --unshare-pid --unshare-ipc \
    "${users[@]}" --cap-add ALL --die-with-parent /usr/lib/narthex/narthex-agent --listen exec=/var/lib/exec.socket
  poll 20 timeout 10 narthex exec --root "$tree" -- true
  run -4 timeout 60 narthex exec --root "$tree" -- sh -c 'ls /usr/lib/narthex; exit 4'
  equal "$output" narthex-agent
  run -5 timeout 60 narthex exec -t --root "$tree" -- sh -c 'tty; echo by name >$(tty); exit 5' </dev/null
  matches "$output" '/dev/pts/0.*by name'
  systemctl stop bwrapped
}
