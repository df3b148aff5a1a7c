#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Whose a bound directory is in the container, and what is bound with it.

load lib

setup_file() {
  # the container's own view of it is not the test's: its root is nobody in the test's directories
  export shared=/srv/shared
  mkdir -p $shared/dir $shared/below
  touch $shared/dir/{of-root,of-1000,of-500}
  chown 500:600 $shared/dir $shared/dir/of-500
  chown 1000:1000 $shared/dir/of-1000
  chmod 0755 $shared $shared/dir
  mount -t tmpfs below $shared/below
  mkdir $shared/below/sub
  guest_tree bind
}

teardown_file() {
  guest_remove bind
  umount -l $shared/below $shared/layers 2>/dev/null || true
  rm -rf --one-file-system $shared
}

teardown() {
  explain_failure
  systemctl stop container-bind 2>/dev/null || true
  systemctl reset-failed container-bind 2>/dev/null || true
  rm -rf "$conf_dir/bind.conf" "$conf_dir/bind.conf.d"
}

# Who owns the three files as the container sees it.
owners='cd /mnt && stat -c %n:%u of-root of-1000 of-500 | tr "\n" " "'

@test "noidmap, the default: the host's users are nobody" {
  guest_conf bind <<<$'[Files]\nBind='$shared/dir:/mnt
  guest_start bind
  if [ "$flavour" = userns ]; then
    equal "$(inside bind "$owners")" 'of-root:65534 of-1000:65534 of-500:65534 '
    run inside bind 'touch /mnt/mine 2>&1; chown 0 /mnt/of-500 2>&1'
    matches "$output" 'denied'
  else
    equal "$(inside bind "$owners")" 'of-root:0 of-1000:1000 of-500:500 '
  fi
  [ ! -e $shared/dir/mine ]
}

@test "idmap: the container's users are those of the same numbers" {
  guest_conf bind <<<$'[Files]\nBind='$shared/dir:/mnt:idmap
  if [ "$flavour" = nouserns ]; then
    run -1 timeout 60 systemctl start container-bind
    matches "$(log_of bind)" 'idmap for /mnt needs a user namespace'
    return 0
  fi
  guest_start bind
  equal "$(inside bind "$owners")" 'of-root:0 of-1000:1000 of-500:500 '
  inside bind 'touch /mnt/by-root; touch /mnt/by-alice; chown alice /mnt/by-alice'
  equal "$(stat -c %u $shared/dir/by-root $shared/dir/by-alice | xargs)" '0 1000'
  rm $shared/dir/by-*
}

@test "rootidmap: the directory's owner is the container's root, and nobody else is anybody" {
  [ "$flavour" = userns ] || return 0
  guest_conf bind <<<$'[Files]\nBind='$shared/dir:/mnt:rootidmap
  guest_start bind
  equal "$(inside bind "$owners")" 'of-root:65534 of-1000:65534 of-500:0 '
  equal "$(inside bind 'stat -c %u:%g /mnt')" 0:0
  inside bind 'touch /mnt/by-root'
  equal "$(stat -c %u:%g $shared/dir/by-root)" 500:600
  # a user of the container's has no number there to be known by
  run inside bind 'chmod 0777 /mnt; runuser -u alice touch /mnt/by-alice 2>&1; chown alice /mnt/by-root 2>&1; chmod 0755 /mnt'
  [ ! -e $shared/dir/by-alice ]
  equal "$(stat -c %u $shared/dir/by-root)" 500
  run inside bind 'cat /mnt/of-1000 && echo x >>/mnt/of-1000'
  equal "$(stat -c %s $shared/dir/of-1000)" 0
  rm $shared/dir/by-root
  guest_stop bind
  # the process that the namespace took is gone
  none_left bind
}

@test "norbind: what is mounted below the source stays out" {
  guest_conf bind <<<$'[Files]\nBind='$shared:/mnt/r$'\nBind='$shared:/mnt/n:norbind
  guest_start bind
  equal "$(inside bind 'ls /mnt/r/below; ls /mnt/n/below')" sub
}

@test "a file system without idmapped mounts is refused by name, with the way out" {
  [ "$flavour" = userns ] || return 0
  local option
  mkdir -p $shared/layers /run/lower
  mount -t overlay -o lowerdir=/run/lower:/srv layers $shared/layers
  for option in idmap rootidmap; do
    guest_conf bind <<<$'[Files]\nBind='$shared/layers:/mnt:$option$'\n[Service]\nRestart=no'
    run -1 timeout 60 systemctl start container-bind
    matches "$(log_of bind)" "$shared/layers' can't be bound with \"$option\": its file system \\(overlay\\)"
    matches "$(log_of bind)" 'use "noidmap"'
    systemctl reset-failed container-bind
  done
  # and what is only mounted below such a source can be left out
  guest_conf bind <<<$'[Files]\nBind='$shared:/mnt:idmap$'\n[Service]\nRestart=no'
  run -1 timeout 60 systemctl start container-bind
  matches "$(log_of bind)" '"norbind"'
  systemctl reset-failed container-bind
  guest_conf bind <<<$'[Files]\nBind='$shared:/mnt:idmap,norbind
  guest_start bind
  equal "$(inside bind 'ls /mnt/dir | wc -l')" 3
  guest_stop bind
  umount $shared/layers
  # with noidmap it is shown
  mount -t overlay -o lowerdir=/run/lower:/srv layers $shared/layers
  guest_conf bind <<<$'[Files]\nBind='$shared/layers:/mnt:noidmap
  guest_start bind
  equal "$(inside bind 'ls -d /mnt/shared')" /mnt/shared
}

# The guest is refused to start, and says WHAT.
refused() { # TEXT WHAT
  guest_conf bind <<<"$1"$'\n[Service]\nRestart=no'
  run -1 timeout $((60 * ease)) systemctl start container-bind
  matches "$(log_of bind --since "$since")" "$2"
  systemctl reset-failed container-bind
}

@test "a source where the container writes: a link that it puts there leads nowhere" {
  local idmap=:idmap since canary text link
  [ "$flavour" = userns ] || idmap=
  since=$(date '+%F %T')
  mkdir -p $shared/app/data/sub $shared/canary/sub
  echo data | tee $shared/app/data/file >$shared/app/data/sub/file
  echo canary | tee $shared/canary/file >$shared/canary/sub/file
  canary=$(find $shared/canary -printf '%p %U %m %T@ ')
  link="is a symbolic link, and a container can write in '$shared/app'"
  text="[Files]
Bind=$shared/app:/srv/app$idmap
Bind=$shared/app/data:/srv/data$idmap
BindReadOnly=$shared/app/data/sub:/srv/sub
Overlay=$shared/app/data/sub::/srv/layers"
  guest_conf bind <<<"$text"$'\n[Service]\nRestart=no'
  guest_start bind
  equal "$(inside bind 'cat /srv/data/file /srv/sub/file /srv/layers/file')" $'data\ndata\ndata'
  inside bind "cd /srv/app && mv data d && ln -s $shared/canary data"
  [ -L $shared/app/data ]
  guest_conf bind <<<"$text"$'\nBind='$shared/app/data:/srv/more$idmap
  run -125 timeout $((60 * ease)) narthex reload bind
  matches "$output" "'$shared/app/data' $link"
  equal "$(inside bind 'ls -A /srv/more 2>/dev/null')" ''
  guest_stop bind
  refused "$text" "'$shared/app/data' $link"
  # by other names of the same places
  ln -s app $shared/host
  ln -s $shared/app/data/sub $shared/into
  refused "[Files]"$'\nBind='$shared/app:/srv/app$'\nBind='$shared/host/data:/srv/data \
    "'$shared/host/data' is a symbolic link, and a container can write in"
  refused "[Files]"$'\nBind='$shared/app:/srv/app$'\nBind='$shared/into:/srv/data "'$shared/app/data' $link"
  refused "[Files]"$'\nBind='$shared/app:/srv/app$'\nOverlay='$shared/app/data/sub::/srv/data "'$shared/app/data' $link"
  equal "$(find $shared/canary -printf '%p %U %m %T@ ')" "$canary"
  # where it writes nothing, links are the host's
  guest_conf bind <<<$'[Files]\nBind='$shared/app/data:/srv/data$'\nBindReadOnly='$shared/host:/srv/app
  guest_start bind
  equal "$(inside bind 'cat /srv/data/file')" canary
}

@test "a source in a container's tree: a link there leads nowhere" {
  local since tree
  since=$(date '+%F %T')
  mkdir -p $shared/canary "$containers/next"
  for tree in "$containers/bind" "$containers/next"; do
    ln -s $shared/canary "$tree/pub"
    refused $'[Files]\nBindReadOnly='"$tree/pub:/mnt" "'$tree/pub' is a symbolic link, and a container can write in '$tree'"
    rm "$tree/pub"
    mkdir -p "$tree/pub"
    echo honest >"$tree/pub/file"
    guest_conf bind <<<$'[Files]\nBindReadOnly='"$tree/pub:/mnt"
    guest_start bind
    equal "$(inside bind 'cat /mnt/file')" honest
    guest_stop bind
    rm -r "$tree/pub"
  done
  rm -r "$containers/next"
}
