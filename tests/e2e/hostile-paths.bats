#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Every path that the host touches in the tree of a container that runs, is copied, made or removed, as everything that a
# hostile root can make of it; and the same while somebody exchanges it all the time. Nothing of the host's may change,
# and its socket may hear nobody. What a start touches: hostile-starts.

load lib
load traps

tree=$containers/paths
doors=/run/narthex/paths/doors

setup_file() {
  make_canary
  guest_tree paths busybox
  sed -i "s|^::respawn:.*|::respawn:/run/host/narthex/narthex-agent$(all_doors)|" "$tree/etc/inittab"
  # by its name it counts as systemd, which is told more
  printf '#!/bin/sh\nexec /bin/busybox init\n' >"$tree/sbin/systemd"
  chmod 0755 "$tree/sbin/systemd"
  ln -sf systemd "$tree/sbin/init"
  cp /build/tests/{peer,swap} "$tree/bin/"
  paths_text one | guest_conf paths
}

# The guest has a link LINK, and a directory of the host's in which anybody may write.
paths_text() { # LINK
  cat <<END
[Exec]
NotifyReady=no
KillSignal=SIGUSR2
[Files]
Bind=$canary/shared
[Network]
Naming=nspawn
HostAddress=10.93.0.1
LocalAddress=10.93.0.2
VirtualEthernetExtra=paths1:$1
[Link $1]
HostAddress=10.93.1.1
LocalAddress=10.93.1.2
END
}

teardown_file() {
  guests_remove_all
  remove_canary
}

all_doors() {
  local d
  for d in login root-login root-shell exec; do
    printf ' --listen %s=/run/host/narthex/doors/%s.socket --listen %s=/var/lib/%s.socket' $d $d $d $d
  done
}

# --- doors ----------------------------------------------------------------------------------------------

knock() { # [--root] PLACE
  local verb
  for verb in exec shell login; do
    case $verb in
    shell | login) [ "$1" != --root ] || continue ;;&
    exec) run timeout $((30 * ease)) narthex exec "$@" -- /bin/true ;;
    # from a pipe; on a terminal the way to the door is the same
    *) run timeout $((30 * ease)) narthex $verb "$@" ;;
    esac </dev/null
    echo "$verb $*: status $status: $output"
    [ "$status" = 125 ] || return 1
    [[ $output != *$'\e'* ]]
  done
}

@test "a door as every kind of file" {
  local kind d
  guest_start paths
  poll 20 narthex exec paths -- /bin/true
  remember
  for kind in "${kinds[@]}"; do
    for d in exec root-shell root-login login; do
      become "$doors/$d.socket" "$kind"
      become "$tree/var/lib/$d.socket" "$kind"
    done
    knock paths || fail "$kind"
    knock --root "$tree" || fail "--root, $kind"
    run timeout $((30 * ease)) narthex list
    equal "$kind $status" "$kind 0"
    run timeout $((30 * ease)) narthex status paths --json
    equal "$kind $status" "$kind 0"
    for d in exec root-shell root-login login; do
      restore "$doors/$d.socket"
      restore "$tree/var/lib/$d.socket"
    done
  done
  unharmed
  narthex exec paths -- /bin/true
}

@test "the way to a door as every kind of file" {
  local kind d
  remember
  for kind in "${kinds[@]}"; do
    for d in /var /var/lib; do
      become "$tree$d" "$kind"
      knock --root "$tree" || fail "$d, $kind"
      restore "$tree$d"
    done
  done
  unharmed
  narthex exec --root "$tree" -- /bin/true
}

@test "1,000 commands while somebody exchanges the door for a link to the host's socket" {
  local i r ok=0 refused=0
  remember
  ln -s $canary/packets $doors/evil
  swap_start $doors/exec.socket $doors/evil
  for ((i = 0; i < 1000; i++)); do
    r=0
    timeout $((30 * ease)) narthex exec paths -- /bin/true 2>"$BATS_TEST_TMPDIR/err" || r=$?
    case $r in
    0) ok=$((ok + 1)) ;;
    125) refused=$((refused + 1)) ;;
    *) fail "status $r: $(cat "$BATS_TEST_TMPDIR/err")" ;;
    esac
  done
  swap_stop
  echo "$ok answered, $refused refused, $swaps exchanges"
  [ ! -L $doors/exec.socket ] || mv -T $doors/evil $doors/exec.socket
  rm -f $doors/evil
  [ "$ok" -gt 0 ] && [ "$refused" -gt 0 ]
  unharmed
}

@test "a door behind which another container listens is refused before a byte is said" {
  local leader pid
  guest_tree other busybox
  cp "$tree/etc/inittab" "$containers/other/etc/inittab"
  guest_conf other </dev/null
  guest_start other
  # then all its doors are open
  poll 20 narthex exec other -- /bin/true
  leader=$(guest_leader other)
  mv -T $doors/exec.socket $doors/exec.was
  /build/tests/peer lend $doors/exec.socket "$leader" "$BATS_TEST_TMPDIR/report" \
    >"$BATS_TEST_TMPDIR/lend" 2>&1 3>&- </dev/null &
  pid=$!
  poll 10 grep -q ready "$BATS_TEST_TMPDIR/lend"
  run timeout $((30 * ease)) narthex exec paths -- /bin/true
  mv -T $doors/exec.was $doors/exec.socket
  equal "$status" 125
  matches "$output" 'refusing the door'
  poll 10 grep -q client "$BATS_TEST_TMPDIR/report"
  kill $pid
  equal "$(cat "$BATS_TEST_TMPDIR/report")" 'client, silent'
  # the other's door by a second name in this one's tree
  mv -T "$tree/var/lib/exec.socket" "$tree/var/lib/exec.was"
  ln "$containers/other/var/lib/exec.socket" "$tree/var/lib/exec.socket"
  run timeout $((30 * ease)) narthex exec --root "$tree" -- /bin/true
  mv -T "$tree/var/lib/exec.was" "$tree/var/lib/exec.socket"
  equal "$status" 125
  matches "$output" 'another root directory'
  narthex exec paths -- /bin/true
  guest_remove other
}

# --- what is copied, made and removed -------------------------------------------------------------------

@test "cp from and to every kind of file ends, and touches nothing else" {
  local kind
  mkdir -p "$tree/srv/place"
  echo mine >"$BATS_TEST_TMPDIR/mine"
  remember
  for kind in "${kinds[@]}"; do
    mkdir "$tree/srv/place/it"
    become "$tree/srv/place/it" "$kind"
    rm -rf "$BATS_TEST_TMPDIR/out"
    run timeout $((30 * ease)) narthex cp paths:/srv/place/it "$BATS_TEST_TMPDIR/out"
    [ "$status" = 0 ] || [ "$status" = 125 ] || fail "from $kind: $status: $output"
    # a link is copied as one: nothing of the host's has come along
    [ ! -e "$BATS_TEST_TMPDIR/out/below" ] || [ -L "$BATS_TEST_TMPDIR/out" ] || fail "$kind: the host's tree was copied"
    for place in /srv/place/it /srv/place/it/ /srv/place/it/new; do
      run timeout $((30 * ease)) narthex cp "$BATS_TEST_TMPDIR/mine" "paths:$place"
      [ "$status" = 0 ] || [ "$status" = 125 ] || fail "to $kind ($place): $status: $output"
    done
    run timeout $((30 * ease)) narthex cp --archive "$BATS_TEST_TMPDIR" "paths:/srv/place/it"
    [ "$status" = 0 ] || [ "$status" = 125 ] || fail "tree to $kind: $status: $output"
    rm -rf "$tree/srv/place/it" "$tree/srv/place/it.was"
  done
  unharmed
}

@test "create from, and destroy of, a tree that is all traps" {
  local kind path
  for kind in "${kinds[@]}"; do
    mkdir "$BATS_TEST_TMPDIR/$kind"
    for path in /proc /sys /dev /run /tmp /var/lib/it /etc/hostname /etc/machine-id /etc/resolv.conf /etc/localtime /root /sbin/init; do
      mkdir -p "$BATS_TEST_TMPDIR/$kind$path"
      become "$BATS_TEST_TMPDIR/$kind$path" "$kind"
      rmdir "$BATS_TEST_TMPDIR/$kind$path.was"
    done
    remember
    tar -C "$BATS_TEST_TMPDIR/$kind" -cf "$BATS_TEST_TMPDIR/tar" . 2>/dev/null
    run timeout $((60 * ease)) narthex create traps --from "$BATS_TEST_TMPDIR/tar"
    [ "$status" = 0 ] || fail "create, $kind: $status: $output"
    unharmed
    run timeout $((60 * ease)) narthex destroy --yes traps
    equal "$kind: $status $output" "$kind: 0 "
    unharmed
    # tar leaves sockets out
    mkdir -p "$containers/traps"
    cp -a "$BATS_TEST_TMPDIR/$kind/." "$containers/traps"
    guest_conf traps </dev/null
    run timeout $((60 * ease)) narthex destroy --yes traps
    equal "$kind: $status $output" "$kind: 0 "
    unharmed
  done
}

# --- what a reload tells the guest ------------------------------------------------------------------------

# What the guest makes of its own paths. The host's directory has the same names. "below" is a directory of links to
# them; a device it can't make, but it can mount one there.
guest_script='
dir=/run/systemd/network
like() { # PATH
  echo '$canary/shared'"${1#/run/systemd}"
}
become() { # PATH KIND
  mv "$1" "$1.was" 2>/dev/null
  case $2 in
  link) ln -s /elsewhere "$1" ;;
  host) ln -s "$(like "$1")" "$1" ;;
  up) ln -s "../../../../../..$(like "$1")" "$1" ;;
  dangling) ln -s /nowhere "$1" ;;
  fifo) mkfifo "$1" ;;
  device) : >"$1" && mount -o bind /dev/null "$1" ;;
  directory) mkdir "$1" ;;
  below) mkdir "$1" && ln -s $(like $dir) $(like $dir/80-container-host0.network) $(like $dir/zz-narthex.network) "$1" ;;
  file) echo plain >"$1" ;;
  socket) peer trap "$1" stream /dev/null >/dev/null 2>&1 </dev/null & ;;
  esac
  while [ "$2" != missing ] && [ ! -e "$1" ] && [ ! -L "$1" ]; do usleep 10000; done
}
restore() { # PATH
  umount "$1" 2>/dev/null
  killall peer 2>/dev/null
  rm -rf "$1"
  mv "$1.was" "$1" 2>/dev/null
}
told() {
  for f in 80-container-host0 zz-narthex; do
    [ -f $dir/$f.network ] && [ ! -L $dir/$f.network ] && grep ^Name= $dir/$f.network
  done
}
'

# Another link each time. Whatever is in its way there, a reload ends well, within its time.
reload_another() {
  link=$([ "$link" = one ] && echo two || echo one)
  paths_text "$link" >$conf_dir/paths.conf
  run timeout $((30 * ease)) narthex reload paths
  [ "$status" = 0 ] || fail "$1: $status: $output"
}

# Per kind: + the files are there, - a word says that they can't be written. In the order of $kinds, then "below":
#                         link host up dangling fifo device directory file socket missing below
told_table() {
  local dir=/run/systemd/network
  cat <<END
/run/systemd              -    -    -    -       -    -      +         -    -      +       -
$dir      -    -    -    -       -    -      +         -    -      +       +
$dir/80-container-host0.network,$dir/zz-narthex.network \
                          +    +    +    +       +    -      -         +    +      +       -
END
}

@test "a reload that tells of a link: every path as every kind of file" {
  local link=one all=("${kinds[@]}" below) path wants i what restore
  guest_start paths
  poll 20 narthex exec paths -- /bin/true
  inside paths 'mkdir -p /elsewhere'
  remember
  while read -r path wants; do
    read -ra wants <<<"$wants"
    equal ${#wants[@]} ${#all[@]}
    for i in "${!all[@]}"; do
      what="$path as ${all[i]}"
      restore="for path in ${path//,/ }; do restore \$path; done"
      inside paths "$guest_script for path in ${path//,/ }; do become \$path ${all[i]}; done"
      reload_another "$what"
      case ${wants[i]} in
      +) equal "$what: $(inside paths "$guest_script told; $restore")" "$what: Name=host0"$'\n'"Name=$link" ;;
      -)
        matches "$what: $output" "cannot write to the container's /run/systemd/network"
        inside paths "$guest_script $restore"
        ;;
      esac
    done
  done < <(told_table)
  equal "$(inside paths 'ls -A /elsewhere')" ''
  unharmed
}

@test "reloads while the guest exchanges what they write to for links" {
  local link=one path i swaps
  guest_start paths
  poll 20 narthex exec paths -- /bin/true
  reload_another
  remember
  for path in /run/systemd/network /run/systemd/network/zz-narthex.network; do
    # a reload may have removed the old file and found a link in its directory's place then
    inside paths "$guest_script ln -s \$(like $path) $path.evil; [ -e $path ] || : >$path
      setsid swap $path $path.evil >/run/swaps 2>&1 </dev/null &
      until [ -L $path ]; do usleep 10000; done"
    for ((i = 0; i < 6; i++)); do
      reload_another "$path"
    done
    # whichever of the two has the name now
    swaps=$(inside paths "killall swap; while pidof swap >/dev/null; do usleep 10000; done
      if [ -L $path ]; then rm $path; mv $path.evil $path 2>/dev/null; else rm -f $path.evil; fi
      cat /run/swaps")
    [ "$swaps" -gt 6 ] || fail "$path: exchanged $swaps times"
  done
  unharmed
}

# What has been asked of it can't even be killed: the kernel waits until the file system is gone.
@test "a file system of the guest's that never answers: what goes through it ends, and so does the container" {
  local source=$canary/shared text=$'[Service]\nDeviceAllow=/dev/fuse rw\n[Files]\nBind=/dev/fuse'
  [ -e /dev/fuse ] || mknod -m 0666 /dev/fuse c 10 229
  chmod 0666 /dev/fuse
  guest_tree mute busybox
  cp /build/tests/peer "$containers/mute/bin/"
  guest_conf mute <<<"$text"
  guest_start mute
  inside mute 'mkdir -p /mnt/dead; setsid peer mute /mnt/dead >/tmp/said 2>&1 </dev/null &
    until grep -q mute /tmp/said; do usleep 10000; done'
  guest_conf mute <<<"$text"$'\n'Bind=$source:/mnt/dead/x
  run timeout $((120 * ease)) narthex reload mute
  equal "$status" 125
  # the kernel asks nothing of it for somebody outside of the user namespace that mounted it
  case $flavour in
  userns) matches "$output" "cannot make mount point '/mnt/dead/x' in the container: Permission denied" ;;
  nouserns) matches "$output" "a file system of the container's doesn't answer" ;;
  esac
  # neither the doors nor what the host knows of it is touched by it
  equal "$(inside mute 'echo well')" well
  guest_conf mute <<<"$text"
  narthex status mute
  timeout $((60 * ease)) narthex stop mute
  guest_stop paths
  none_left mute
}
