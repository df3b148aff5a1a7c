#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Every path that the host touches in a tree when a container starts, as everything that a hostile root can make of it; and
# the same while somebody exchanges it all the time. Nothing of the host's may change, and its socket may hear nobody.

load lib
load traps

# how often somebody starts while paths are exchanged; 1000 for the whole of it
starts=${NARTHEX_ABUSE_STARTS:-400}

setup_file() {
  make_canary
  # only its tree is needed
  guest_tree starts busybox
  mkdir -p "$containers/starts/inside"
  echo inside >"$containers/starts/inside.file"
}

teardown_file() {
  guests_remove_all
  rm -rf --one-file-system "$containers/starts"
  remove_canary
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
