#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Every path that the host touches in a guest's tree, as everything that a hostile root can make of it; and the same
# while somebody exchanges it all the time. Nothing of the host's may change, and its socket may hear nobody.

load lib

canary=/srv/canary
hits=/srv/hits
tree=$containers/paths
doors=/run/narthex/paths/doors
# how often somebody starts while paths are exchanged; 1000 for the whole of it
starts=${NARTHEX_ABUSE_STARTS:-400}
# what a path can be
kinds=(link host up dangling fifo device directory file socket missing)

setup_file() {
  make_canary
  guest_tree paths busybox
  sed -i "s|^::respawn:.*|::respawn:/run/host/narthex/narthex-agent$(all_doors)|" "$tree/etc/inittab"
  guest_conf paths </dev/null
  # another one, for starts: only its tree is needed
  guest_tree starts busybox
  mkdir -p "$containers/starts/inside"
  echo inside >"$containers/starts/inside.file"
}

teardown_file() {
  local pid
  guests_remove_all
  rm -rf --one-file-system "$containers/starts"
  while read -r pid; do
    kill "$pid" || true
  done <"$BATS_FILE_TMPDIR/pids"
}

all_doors() {
  local d
  for d in login root-login root-shell exec; do
    printf ' --listen %s=/run/host/narthex/doors/%s.socket --listen %s=/var/lib/%s.socket' $d $d $d $d
  done
}

# --- the host's side: a tree and two sockets that nobody has any business with ---------------------------

make_canary() {
  mkdir -p $canary/dir/below
  echo secret >$canary/file
  chmod 0600 $canary/file
  cp /bin/true $canary/program
  chmod 4755 $canary/program
  setfattr -n user.mark -v here $canary/dir
  : >"$BATS_FILE_TMPDIR/pids"
  listen_at $canary/stream stream
  listen_at $canary/packets seqpacket
}

listen_at() { # PATH TYPE
  /build/tests/peer trap "$1" "$2" "$hits.$2" >"$BATS_FILE_TMPDIR/$2" 2>&1 3>&- </dev/null &
  echo $! >>"$BATS_FILE_TMPDIR/pids"
  poll 10 grep -q ready "$BATS_FILE_TMPDIR/$2"
}

# Content, kind, mode, owner, links, times and attributes of the host's files; what is mounted where.
host_state() {
  find $canary /etc -path /etc/narthex -prune -o -printf '%p %y %m %U:%G %s %l %T@ %i\n' | sort
  find $canary /etc -path /etc/narthex -prune -o -type f -exec sha256sum {} + | sort
  getfattr -Rhd -m - --absolute-names $canary
  find /run/narthex -path '/run/narthex/paths/*' -prune -o -path '/run/narthex/.uid-ranges/*' -prune -o -printf '%p %y %m %U\n'
  awk '{ print $5, $9 }' /proc/self/mountinfo | sort
}

unharmed() {
  diff <(host_state) "$BATS_TEST_TMPDIR/before" >&2 || fail "the host's files are not what they were"
  [ ! -s $hits.stream ] && [ ! -s $hits.seqpacket ] || fail "somebody knocked at the host's socket: $(cat $hits.*)"
}

remember() {
  host_state >"$BATS_TEST_TMPDIR/before"
}

# --- the guest's side ------------------------------------------------------------------------------------

# Makes of a path what KIND says. What was there lies beside it as PATH.was.
become() { # PATH KIND
  mv -T "$1" "$1.was" 2>/dev/null || mkdir -p "${1%/*}"
  case $2 in
  link) if [ -d "$1.was" ]; then ln -s /inside "$1"; else ln -s /inside.file "$1"; fi ;;
  host) ln -s "$(canary_like "$1.was")" "$1" ;;
  up) ln -s ../../../../../../../../../..$canary/dir "$1" ;;
  dangling) ln -s /nowhere "$1" ;;
  fifo) mkfifo "$1" ;;
  device) mknod "$1" c 1 3 ;;
  directory) mkdir "$1" ;;
  file) echo plain >"$1" ;;
  # a live one, of the host's
  socket) ln $canary/stream "$1" 2>/dev/null || dead_socket "$1" ;;
  missing) ;;
  esac
}

# On another file system no second name can be given to the host's: a dead one must do.
dead_socket() { # PATH
  local pid
  /build/tests/peer trap "$1" stream /dev/null >/dev/null 2>&1 3>&- </dev/null &
  pid=$!
  poll 20 test -S "$1"
  kill $pid
  wait $pid || true
}

# Exchanges pairs of paths until swap_stop, which sets $swaps to how often.
swap_start() { # A B …
  /build/tests/swap "$@" >"$BATS_TEST_TMPDIR/swaps" 3>&- &
  swapper=$!
}

swap_stop() {
  kill $swapper
  wait $swapper
  swaps=$(cat "$BATS_TEST_TMPDIR/swaps")
}

restore() { # PATH
  rm -rf --one-file-system "$1"
  mv -T "$1.was" "$1" 2>/dev/null || true
}

# The host's file that a guest would like to have instead.
canary_like() { # FILE
  if [ -d "$1" ]; then
    echo $canary/dir
  elif [[ $1 == */exec.socket.was ]]; then
    echo $canary/packets
  elif [ -S "$1" ]; then
    echo $canary/stream
  else
    echo $canary/program
  fi
}

launch() { # TREE OPTION… [-- CMD…]
  local more=()
  [ "$flavour" = userns ] || more=(--set Exec.PrivateUsers=no)
  timeout $((30 * ease)) /usr/lib/narthex/narthex-launch --foreground --root "$containers/$1" --name starts "${more[@]}" "${@:2}" </dev/null
}

start_once() {
  launch starts --set Exec.Boot=no --set "Files.Bind=$BATS_FILE_TMPDIR/source:/mnt/dir" --set "Files.BindReadOnly=$BATS_FILE_TMPDIR/source/file:/mnt/file" \
    --set Files.TemporaryFileSystem=/mnt/tmpfs --set "Files.Store=$BATS_FILE_TMPDIR/store" --set Files.PerContainerNix=yes \
    -- /bin/echo started
}

make_sources() {
  mkdir -p "$BATS_FILE_TMPDIR/source" "$BATS_FILE_TMPDIR/store"
  echo given >"$BATS_FILE_TMPDIR/source/file"
}

# Per kind: + starts, - is refused with a word about the path, ? may be either. In the order of $kinds:
#                           link host up dangling fifo device directory file socket missing
start_table() {
  cat <<END
/proc                       -    -    -    -       -    -      +         -    -      +
/sys                        -    -    -    -       -    -      +         -    -      +
/dev                        -    -    -    -       -    -      +         -    -      +
/run                        -    -    -    -       -    -      +         -    -      +
/tmp                        -    -    -    -       -    -      +         -    -      +
/dev/pts                    +    +    +    +       +    +      +         +    +      +
/dev/shm                    +    +    +    +       +    +      +         +    +      +
/dev/console                +    +    +    +       +    +      +         +    +      +
/dev/null                   +    +    +    +       +    +      +         +    +      +
/proc/sys                   +    +    +    +       +    +      +         +    +      +
/sys/fs/cgroup              +    +    +    +       +    +      +         +    +      +
/run/host                   +    +    +    +       +    +      +         +    +      +
/run/systemd                +    +    +    +       +    +      +         +    +      +
/mnt                        -    -    -    -       -    -      +         -    -      +
/mnt/dir                    -    -    -    -       -    -      +         -    -      +
/mnt/tmpfs                  -    -    -    -       -    -      +         -    -      +
/mnt/file                   -    -    -    -       +    +      -         +    +      +
/nix                        -    -    -    -       -    -      +         -    -      +
/nix/var/nix                -    -    -    -       -    -      +         -    -      +
/nix/var/nix/profiles       -    -    -    -       -    -      +         -    -      +
/nix/var/nix/gcroots        -    -    -    -       -    -      +         -    -      +
$BATS_FILE_TMPDIR/store     -    -    -    -       -    -      +         -    -      +
/var                        ?    ?    ?    ?       ?    ?      +         ?    ?      +
/var/lib                    ?    ?    ?    ?       ?    ?      +         ?    ?      +
/etc                        ?    ?    ?    ?       ?    ?      +         ?    ?      +
/etc/resolv.conf            ?    ?    ?    ?       ?    ?      ?         +    ?      +
/etc/machine-id             ?    ?    ?    ?       ?    ?      ?         +    ?      +
/etc/hostname               ?    ?    ?    ?       ?    ?      ?         +    ?      +
/etc/hosts                  ?    ?    ?    ?       ?    ?      ?         +    ?      +
/etc/localtime              ?    ?    ?    ?       ?    ?      ?         +    ?      +
/etc/passwd                 ?    ?    ?    ?       ?    ?      ?         +    ?      +
/usr                        ?    ?    ?    ?       ?    ?      +         ?    ?      +
/root                       ?    ?    ?    ?       ?    ?      +         ?    ?      +
END
}

check_start() { # PATH KIND EXPECTED
  run "${start:-start_once}"
  case $3$status in
  +0) [[ $output == *started* ]] || fail "$1 as $2: $output" ;;
  # what is below the new root is told as it is seen from there
  -125)
    if ! [[ $output == *"$1"* || $output == *"'${1#/}"* || ($1 == /deploy/* && $output == *"${1#/deploy}'"*) ]]; then
      fail "$1 as $2: no word about it: $output"
    fi
    ;;
  '?0' | '?125') ;;
  *) fail "$1 as $2: wanted $3, got status $status: $output" ;;
  esac
}

@test "a start: every path as every kind of file" {
  local path wants i rows=0
  make_sources
  # what the table's rows need to be there, and what is made once on the host
  mkdir -p "$containers/starts"/mnt/{dir,tmpfs} "$containers/starts/nix/var/nix"/{profiles,gcroots} \
    "$containers/starts/dev" "$containers/starts$BATS_FILE_TMPDIR/store"
  touch "$containers/starts/mnt/file"
  check_start none none +
  remember
  while read -r path wants; do
    read -ra wants <<<"$wants"
    equal ${#wants[@]} ${#kinds[@]}
    for i in "${!kinds[@]}"; do
      become "$containers/starts$path" "${kinds[i]}"
      check_start "$path" "${kinds[i]}" "${wants[i]}"
      restore "$containers/starts$path"
    done
    [ ! -e /run/narthex/starts ] || fail "$path: state is left"
    rows=$((rows + 1))
  done < <(start_table)
  equal $rows "$(start_table | wc -l)"
  unharmed
}

# The paths that more keys touch.
start_with_keys() {
  local user=()
  [ "$flavour" = nouserns ] || user=(--set Files.BindUser=daemon)
  launch starts --set Exec.Boot=no --set Exec.Timezone=copy --set Exec.LinkJournal=host --set Files.Overlay=+/layer/low::/mnt/over \
    --set Files.Overlay=+/layer/low:+/layer/up:/mnt/stacked --set Files.Bind=+/layer/inner:/mnt/inner --set Files.Inaccessible=/hidden \
    "${user[@]}" -- /bin/echo started
}

start_with_pivot() {
  launch starts --set Exec.Boot=no --set Exec.PivotRoot=/deploy:/old --set Files.Volatile=state -- /bin/echo started ||
    return $(($? == 127 ? 125 : $?)) # what a link leads to in the tree has no programs
}

# As above; links inside are followed there, so one may lead to something that will do, or to nothing.
keys_table() {
  cat <<END
start_with_keys  /etc                 -    -    -    -       -    -      +         -    -      +
start_with_keys  /etc/localtime       +    +    +    +       +    +      -         +    +      +
start_with_keys  /etc/machine-id      ?    ?    ?    ?       ?    ?      +         +    ?      +
start_with_keys  /layer               ?    ?    ?    ?       -    -      -         -    -      -
start_with_keys  /layer/low           ?    ?    ?    ?       -    -      +         -    -      -
start_with_keys  /layer/up            ?    ?    ?    ?       -    -      +         -    -      -
start_with_keys  /layer/inner         ?    ?    ?    ?       ?    ?      +         ?    ?      -
start_with_keys  /hidden              ?    ?    ?    ?       +    +      +         +    +      -
start_with_keys  /mnt/over            -    -    -    -       -    -      +         -    -      +
start_with_keys  /mnt/stacked         -    -    -    -       -    -      +         -    -      +
start_with_keys  /mnt/inner           -    -    -    -       -    -      +         -    -      +
start_with_keys  /var/log             -    -    -    -       -    -      +         -    -      +
start_with_keys  /var/log/journal     -    -    -    -       -    -      +         -    -      +
start_with_pivot /deploy              ?    ?    ?    ?       -    -      ?         -    -      -
start_with_pivot /deploy/old          -    -    -    -       -    -      +         -    -      +
start_with_pivot /deploy/var          -    -    -    -       -    -      +         -    -      +
END
  # who would be asked whether the user is one of the container's already
  [ "$flavour" = nouserns ] ||
    echo 'start_with_keys /etc/passwd         -    -    -    -       -    -      -         +    -      +'
}

@test "a start with more keys: every path that they touch as every kind of file" {
  local start path wants i journal=
  mkdir -p "$containers/starts"/{layer/{low,up,inner},mnt/{over,stacked,inner},deploy/{bin,old,var},hidden,etc,var/log/journal}
  cp -a "$containers/starts/bin/." "$containers/starts/deploy/bin/"
  echo 'root:x:0:0::/root:/bin/sh' >"$containers/starts/etc/passwd"
  touch "$containers/starts/etc/localtime"
  if [ ! -d /var/log/journal ]; then
    journal=made
    mkdir /var/log/journal
  fi
  start=start_with_keys check_start none none +
  start=start_with_pivot check_start none none +
  remember
  while read -r start path wants; do
    read -ra wants <<<"$wants"
    equal ${#wants[@]} ${#kinds[@]}
    for i in "${!kinds[@]}"; do
      become "$containers/starts$path" "${kinds[i]}"
      check_start "$path" "${kinds[i]}" "${wants[i]}"
      restore "$containers/starts$path"
    done
    [ ! -e /run/narthex/starts ] || fail "$path: state is left"
  done < <(keys_table)
  unharmed
  rm -rf "$containers/starts"/{layer,deploy,hidden}
  [ -z "$journal" ] || rm -rf /var/log/journal
}

@test "a boot: the init as every kind of file is never the host's" {
  local i kind
  cp -a "$containers/starts" "$containers/inits"
  remember
  for kind in "${kinds[@]}"; do
    [ "$kind" != link ] || continue # into the tree: that boots
    for i in /sbin/init /sbin; do
      become "$containers/inits$i" "$kind"
      run launch inits
      restore "$containers/inits$i"
      equal "$i as $kind: $status" "$i as $kind: 125"
    done
  done
  unharmed
  rm -rf --one-file-system "$containers/inits"
}

@test "a boot: what says which agent a guest has, as every kind of file, holds nobody up" {
  local kind version=$containers/inits/usr/lib/narthex/guest/version
  cp -a "$containers/starts" "$containers/inits"
  rm -rf "$containers/inits/sbin"
  mkdir -p "${version%/*}" "$containers/inits/sbin"
  # it counts as systemd by its name, and ends at once
  printf '#!/bin/sh\nexit 5\n' >"$containers/inits/sbin/systemd"
  chmod 0755 "$containers/inits/sbin/systemd"
  ln -s systemd "$containers/inits/sbin/init"
  remember
  for kind in "${kinds[@]}"; do
    become "$version" "$kind"
    run launch inits
    restore "$version"
    equal "$kind $status" "$kind 5"
  done
  unharmed
  rm -rf --one-file-system "$containers/inits"
}

@test "starts while somebody exchanges the paths" {
  local pair i ok=0 refused=0 each=$((starts / 8))
  make_sources
  remember
  for pair in /proc /sys /dev /run /tmp /mnt /mnt/dir /mnt/file; do
    ln -s $canary/dir "$containers/starts$pair.evil"
    swap_start "$containers/starts$pair" "$containers/starts$pair.evil"
    for ((i = 0; i < each; i++)); do
      run start_once
      case $status in
      0) ok=$((ok + 1)) ;;
      125) refused=$((refused + 1)) ;;
      *) fail "$pair: status $status: $output" ;;
      esac
    done
    swap_stop
    [ "$swaps" -ge 100 ] || fail "$pair: exchanged only $swaps times"
    # whichever of the two has the name now
    if [ -L "$containers/starts$pair" ]; then
      rm "$containers/starts$pair"
      mv -T "$containers/starts$pair.evil" "$containers/starts$pair"
    else
      rm "$containers/starts$pair.evil"
    fi
  done
  echo "$ok started, $refused refused"
  [ "$ok" -gt 0 ] && [ "$refused" -gt 0 ]
  unharmed
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
