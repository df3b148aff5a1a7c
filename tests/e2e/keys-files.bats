#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The keys of systemd.nspawn(5) in [Files], and PivotRoot=.

load lib

setup_file() {
  export shared=/srv/keys tree=$containers/keys
  guest_tree keys
  mkdir -p $shared/{lower,upper}
  echo low >$shared/lower/low
  echo up >$shared/upper/up
}

teardown_file() {
  guests_remove_all
  rm -rf --one-file-system "$tree" "$shared"
}

teardown() {
  explain_failure
  systemctl stop container-keys 2>/dev/null || true
  systemctl reset-failed container-keys 2>/dev/null || true
  rm -rf "$conf_dir/keys.conf" "$conf_dir/keys.conf.d"
}

# Runs a script in a container of the shared tree; settings come before --.
payload() { # SECTION.KEY=VALUE… -- SCRIPT
  local sets=()
  while [ "$1" != -- ]; do
    sets+=(--set "$1")
    shift
  done
  shift
  [ "$flavour" = userns ] || sets=(--set Exec.PrivateUsers=no "${sets[@]}")
  timeout $((30 * slow)) /usr/lib/narthex/narthex-launch --foreground --root "$tree" --set Exec.Boot=no "${sets[@]}" -- /bin/sh -c "$1"
}

quietly() {
  payload "$@" 2>/dev/null
}

fails_with() { # STATUS WANTED SECTION.KEY=VALUE…
  local wanted=$2
  run "-$1" payload "${@:3}" -- true
  matches "$output" "$wanted"
}

refused() { # WANTED SECTION.KEY=VALUE…, when it comes to it
  fails_with 125 "$@"
}

misused() { # the same, by the command line alone
  fails_with 2 "$@"
}

# A user namespace keeps the guest's root from taking it back; without one nothing does.
stays_read_only() { # PATH SECTION.KEY=VALUE…
  local path=$1
  shift
  [ "$flavour" = userns ] || return 0
  run ! payload "$@" -- "mount -o remount,bind,rw $path || mount -o remount,rw $path; touch $path/later"
  [ ! -e "$tree$path/later" ]
}

@test "ReadOnly=: nothing can be written to the tree, what is mounted in it can" {
  equal "$(quietly Files.ReadOnly=yes -- 'touch /later /var/later; touch /run/x /tmp/x && echo written')" written
  [ ! -e "$tree/later" ] && [ ! -e "$tree/var/later" ]
  stays_read_only / Files.ReadOnly=yes
  # so can binds, if they aren't read-only themselves
  equal "$(quietly Files.ReadOnly=yes Files.TemporaryFileSystem=/mnt Files.Bind=$shared/upper:/srv:norbind -- 'touch /mnt/x && cat /srv/up')" up
}

@test "ReadOnly=: a booted guest has its doors" {
  guest_conf keys <<<$'[Files]\nReadOnly=yes\nOverlay=+/var::/var'
  guest_start keys
  equal "$(narthex exec keys -- sh -c 'touch /etc/later 2>/dev/null || echo closed; touch /var/later && echo open')" $'closed\nopen'
  [ ! -e "$tree/var/later" ]
}

@test "Volatile=overlay: all can be written, and is forgotten" {
  equal "$(quietly Files.Volatile=overlay -- 'touch /later /var/later; rm /etc/passwd; ls /later; id -u')" $'/later\n0'
  [ ! -e "$tree/later" ] && [ -e "$tree/etc/passwd" ]
}

@test "Volatile=state: an empty /var, the rest read-only" {
  equal "$(quietly Files.Volatile=state -- 'ls -A /var; touch /later /etc/later; touch /var/later && ls /var')" later
  [ ! -e "$tree/later" ] && [ ! -e "$tree/var/later" ]
  stays_read_only / Files.Volatile=state
}

@test "Volatile=state: it boots, and /var is empty at each boot" {
  guest_conf keys <<<$'[Files]\nVolatile=state'
  guest_start keys
  equal "$(narthex exec keys -- sh -c 'touch /var/mine && ls /var/mine')" /var/mine
  guest_stop keys
  guest_start keys
  run ! narthex exec keys -- ls /var/mine
}

@test "Volatile=yes: it boots, and nobody is asked anything on the console" {
  guest_conf keys <<<$'[Files]\nVolatile=yes'
  guest_start keys
  equal "$(narthex exec keys -- systemctl is-enabled systemd-firstboot)" masked-runtime
  guest_stop keys
}

@test "Volatile=yes: nothing but the tree's /usr, read-only" {
  equal "$(quietly Files.Volatile=yes -- 'ls /')" "$(printf '%s\n' bin dev lib lib64 proc run sbin sys tmp usr)"
  equal "$(quietly Files.Volatile=yes -- 'touch /usr/later; mkdir /etc && touch /etc/later && ls /etc')" later
  [ ! -e "$tree/usr/later" ] && [ ! -e "$tree/etc/later" ]
  stays_read_only /usr Files.Volatile=yes
  mv "$tree/lib64" "$tree/lib64.real"
  mkdir "$tree/lib64"
  refused '/lib64 of root .* is no link into /usr' Files.Volatile=yes
  rmdir "$tree/lib64"
  mv "$tree/lib64.real" "$tree/lib64"
  misused 'exclude each other' Files.Volatile=yes Exec.Ephemeral=yes
}

@test "Inaccessible=: a file and a directory are there and can't be opened" {
  # root without a user namespace may open it: there is nothing in it
  equal "$(quietly Files.Inaccessible=/etc/shadow Files.Inaccessible=/home -- 'cat /etc/shadow; ls -A /home/')" ''
  [ "$flavour" = nouserns ] || run ! payload Files.Inaccessible=/etc/shadow Files.Inaccessible=/home -- 'cat /etc/shadow || ls /home/'
  equal "$(quietly Files.Inaccessible=/etc/shadow Files.Inaccessible=/home -- 'stat -c "%a %F" /etc/shadow /home')" \
    $'0 regular empty file\n0 directory'
  # a link is followed inside the root, and what is masked in a bind is masked there
  ln -s etc/shadow "$tree/link"
  equal "$(quietly Files.Inaccessible=/link -- 'cat /etc/shadow')" ''
  rm "$tree/link"
  equal "$(quietly Files.Bind=$shared:/mnt Files.Inaccessible=/mnt/lower -- 'ls /mnt/lower; cat /mnt/upper/up')" up
  if [ "$flavour" = userns ]; then
    run ! payload Files.Inaccessible=/etc/shadow -- 'umount /etc/shadow; chmod 0644 /etc/shadow; head -c1 /etc/shadow | grep -q .'
  fi
  refused "cannot make '/not/there' inaccessible" Files.Inaccessible=/not/there
  misused 'no container works without it' Files.Inaccessible=/run
}

@test "mounts are made in the order of their targets, not of the lines" {
  equal "$(quietly Files.Bind=$shared/lower:/mnt/a/b Files.TemporaryFileSystem=/mnt/a Files.Bind=$shared:/mnt -- 'cat /mnt/a/b/low /mnt/upper/up')" $'low\nup'
  equal "$(quietly Files.Bind=+/etc:/mnt/etc Files.TemporaryFileSystem=/mnt -- 'ls /mnt/etc/passwd')" /mnt/etc/passwd
  # "/mnt/a.b" is no child of "/mnt/a"
  equal "$(quietly Files.Bind=$shared/lower:/mnt/a.b Files.TemporaryFileSystem=/mnt/a -- 'cat /mnt/a.b/low')" low
  rm -rf "${tree:?}"/mnt/* $shared/a
}

@test "OverlayReadOnly=: layers on each other, the last on top" {
  echo over >$shared/upper/low
  equal "$(quietly Files.OverlayReadOnly=$shared/lower:$shared/upper:/mnt -- 'cat /mnt/low /mnt/up')" $'over\nup'
  equal "$(quietly Files.OverlayReadOnly=$shared/upper:$shared/lower:/mnt -- 'cat /mnt/low /mnt/up')" $'low\nup'
  rm $shared/upper/low
  run ! payload Files.OverlayReadOnly=$shared/lower:$shared/upper:/mnt -- 'touch /mnt/later'
  run ! payload Files.OverlayReadOnly=+/etc:$shared/upper:/mnt -- 'touch /mnt/later'
  # with two paths the second is a layer and the target
  equal "$(quietly Files.OverlayReadOnly=$shared/lower:$shared/upper -- "cat $shared/low $shared/upper/low" || true)" low
  rm -rf "${tree:?}/srv/keys"
}

@test "Overlay=: changes land in the uppermost layer, or nowhere, and nothing is left beside it" {
  local base=0
  if [ "$flavour" = userns ]; then
    base=1000000000
    # the host's files are nobody's there, as with Bind=
    run ! payload Files.Overlay=$shared/lower:$shared/upper:/mnt -- 'echo x >/mnt/low'
    chown $base:$base $shared/upper
  fi
  fixed=("Exec.PrivateUsers=$([ "$flavour" = userns ] && echo $base || echo no)")
  equal "$(quietly "${fixed[@]}" Files.Overlay=$shared/lower:$shared/upper:/mnt -- 'echo new >/mnt/new; cat /mnt/low')" low
  equal "$(cat $shared/upper/new)" new
  equal "$(stat -c %u $shared/upper/new)" $base
  [ ! -e $shared/lower/new ]
  equal "$(ls -A $shared)" $'lower\nupper'
  rm $shared/upper/new
  chown 0:0 $shared/upper
  # a temporary one
  equal "$(quietly Files.Overlay=+/etc::/mnt -- 'echo x >>/mnt/passwd && rm /mnt/shadow && ls /mnt/shadow; tail -n1 /mnt/passwd')" x
  run ! grep -qx x "$tree/etc/passwd"
  # the container's own tree as layers
  mkdir "$tree/layer"
  equal "$(quietly Files.Overlay=+/etc:+/layer:/mnt -- 'echo mine >/mnt/mine && cat /layer/mine')" mine
  equal "$(cat "$tree/layer/mine")" mine
  rm -rf "$tree/layer" "$tree/.layer.narthex-keys"
}

@test "Overlay=: a layer that isn't there, or leads out of the tree, is an error" {
  refused "cannot open layer '/not/there' of the overlay on '/mnt'" Files.Overlay=/not/there::/mnt
  ln -s ../../../../../../srv/keys "$tree/out"
  refused "cannot open layer '\+/out' of the overlay" Files.Overlay=+/out::/mnt
  rm "$tree/out"
  misused 'at least two paths' Files.Overlay=/a
  misused 'only the uppermost layer' Files.Overlay=::/mnt
}

@test "Bind=: a source in the container, an empty one, and its owners" {
  equal "$(quietly Files.Bind=+/etc/passwd:/mnt/passwd -- 'cmp /etc/passwd /mnt/passwd && echo same')" same
  rm -f "$tree/mnt/passwd"
  ln -s ../../../../../../srv/keys "$tree/out"
  refused "cannot bind '/out'" Files.Bind=+/out:/mnt
  rm "$tree/out"
  equal "$(quietly Files.Bind=:/mnt -- 'touch /mnt/x && stat -c %u:%a /mnt && ls /mnt')" $'0:755\nx'
  equal "$(ls "$tree/mnt")" ''
  [ "$flavour" = userns ] || return 0
  # what belongs to the source's owner belongs to the target's
  mkdir -p $shared/of-500 "$tree/home/alice/share"
  chown 500:600 $shared/of-500
  chown 1000:1000 "$tree/home/alice/share"
  equal "$(quietly Files.Bind=$shared/of-500:/home/alice/share:owneridmap -- \
    'cd /home/alice/share; stat -c %u:%g .; runuser -u alice touch by-alice; touch by-root || stat -c %u:%g by-alice')" $'1000:1000\n1000:1000'
  equal "$(stat -c %u:%g $shared/of-500/by-alice)" 500:600
  [ ! -e $shared/of-500/by-root ]
}

@test "PrivateUsersOwnership=: owners on disk are mapped, or are what they are, and never changed" {
  misused 'narthex never changes the owners' Files.PrivateUsersOwnership=chown
  equal "$(quietly Files.PrivateUsersOwnership=auto -- 'stat -c %u /etc/passwd')" 0
  equal "$(quietly Files.PrivateUsersChown=yes -- 'stat -c %u /etc/passwd')" 0
  equal "$(stat -c %u "$tree/etc/passwd")" 0
  [ "$flavour" = userns ] || return 0
  refused 'belongs to user 0, and the container.s root is' Files.PrivateUsersOwnership=off
  # a tree that another tool has shifted for its range
  cp -a "$containers/.templates/busybox" $shared/shifted
  chown -R 1000000000:1000000000 $shared/shifted
  equal "$(timeout 30 /usr/lib/narthex/narthex-launch --foreground --root $shared/shifted --set Exec.Boot=no --set Files.PrivateUsersOwnership=off \
    --set Exec.PrivateUsers=1000000000 -- /bin/sh -c 'stat -c %u /bin/busybox; touch /later')" 0
  equal "$(stat -c %u $shared/shifted/later)" 1000000000
}

@test "PivotRoot=: a directory of the tree is the root, the old one where it is wanted" {
  local dir
  mkdir -p "$tree/deploy/1/sysroot"
  cp -al "$tree/usr" "$tree/deploy/1/"
  for dir in bin lib lib64 sbin; do
    cp -a "$tree/$dir" "$tree/deploy/1/"
  done
  ln -s deploy/1 "$tree/current"
  equal "$(quietly Exec.PivotRoot=/deploy/1 -- 'ls -d /deploy /sysroot; touch /new && ls /new')" $'/sysroot\n/new'
  [ -e "$tree/deploy/1/new" ]
  equal "$(quietly Exec.PivotRoot=/current:/sysroot -- 'ls -d /sysroot/deploy /sysroot/etc/passwd; ls /new')" $'/sysroot/deploy\n/sysroot/etc/passwd\n/new'
  # read-only is all of it
  run ! payload Exec.PivotRoot=/current:/sysroot Files.ReadOnly=yes -- 'touch /later || touch /sysroot/later'
  # forgotten with an ephemeral root
  equal "$(quietly Exec.Ephemeral=yes Exec.PivotRoot=/current -- 'rm /new; ls /')" "$(printf '%s\n' bin dev lib lib64 proc run sbin sys sysroot tmp usr)"
  [ -e "$tree/deploy/1/new" ]
  # a link that would lead out leads to the tree's own /srv, which has nothing to run
  ln -s ../../../.. "$tree/out"
  run -127 payload Exec.PivotRoot=/out/srv -- true
  refused 'cannot use PivotRoot=/out/srv/keys' Exec.PivotRoot=/out/srv/keys
  refused 'cannot use PivotRoot=/not/there' Exec.PivotRoot=/not/there
  rm -rf "$tree/deploy" "$tree/current" "$tree/out"
}

@test "BindUser=: the home of a user of the host's, whose files are the user's on both sides" {
  local db=/run/host/userdb
  if [ "$flavour" = nouserns ]; then
    misused 'BindUser= needs a user namespace' Files.BindUser=daemon
    return 0
  fi
  useradd --uid 4321 --create-home --home-dir $shared/bea --password "\$6\$salt\$hash" bea
  echo hello >$shared/bea/hers
  chown bea: $shared/bea/hers
  echo not >$shared/bea/not-hers
  equal "$(quietly Files.BindUser=bea -- 'cd /run/host/home/bea; stat -c "%n %u %g" . hers not-hers; cat hers
    setpriv --reuid=60514 --regid=60514 --clear-groups sh -c "echo more >new; echo x >>not-hers" 2>/dev/null')" \
    $'. 60514 60514\nhers 60514 60514\nnot-hers 65534 65534\nhello'
  equal "$(stat -c '%u %g' $shared/bea/new)" "$(id -u bea) $(id -g bea)"
  equal "$(cat $shared/bea/not-hers)" not
  # the record, and nobody's number of the host's in the container
  equal "$(quietly Files.BindUser=bea -- "cat $db/bea.user $db/60514.user $db/60514.group; stat -c %a $db/bea.user-privileged; cat $db/bea.user-privileged; wc -l </proc/self/uid_map")" \
    '{"userName":"bea","uid":60514,"gid":60514,"homeDirectory":"/run/host/home/bea","shell":"/bin/sh","disposition":"container","service":"narthex"}
{"userName":"bea","uid":60514,"gid":60514,"homeDirectory":"/run/host/home/bea","shell":"/bin/sh","disposition":"container","service":"narthex"}
{"groupName":"bea","gid":60514,"disposition":"container","service":"narthex"}
400
{"privileged":{"hashedPassword":["$6$salt$hash"]}}
1'
  echo 'bea:x:1007:1007::/:/bin/sh' >>"$tree/etc/passwd"
  refused 'the container has such a user' Files.BindUser=bea
  sed -i '/^bea:/d' "$tree/etc/passwd"
  refused 'cannot look the user up on the host' Files.BindUser=nobodyhere
  refused "the host's root is shown to no container" Files.BindUser=root
  userdel bea
}
