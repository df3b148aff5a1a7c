#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# narthex destroy: all of a container, and nothing else.

load lib

setup() {
  # on the file system of the trees
  outside=/var/lib/destroy-outside
  mkdir -p "$outside"
  echo sings >"$outside/canary"
}

teardown() {
  umount -R "$containers/gone/mnt" 2>/dev/null || true
  chattr -R -f -i -a "$containers"/gone "$containers"/.destroy-gone || true
  guests_remove_all
  rm -rf --one-file-system "$containers"/gone "$containers"/.destroy-gone
  local canary
  canary=$(cat "$outside/canary")
  rm -rf --one-file-system "$outside" /nix
  equal "$canary" sings
}

# Nothing of NAME is left, neither on disk nor with systemd.
all_gone() { # NAME
  equal "$(find "$containers" "$conf_dir" -maxdepth 1 -name "*$1*")" ''
  equal "$(systemctl show -P LoadState "container-$1")" not-found
  none_left "$1"
}

@test "a running container is stopped, and everything of it goes" {
  guest_up gone busybox <<'END'
[Network]
HostAddress=10.0.0.1
LocalAddress=10.0.0.2
END
  echo '[Exec]' >"$conf_dir/gone.conf.d/more.conf"
  # until then its init doesn't know how to end
  poll 20 test -S "$(door gone root-shell)"
  narthex destroy --yes gone </dev/null
  all_gone gone
}

@test "what makes trees hard to remove is no obstacle" {
  guest_tree gone busybox
  guest_conf gone </dev/null
  cd "$containers/gone"
  mkdir -p locked/dir
  echo x >locked/dir/file
  chattr +i locked/dir/file locked/dir
  chattr +a locked
  touch -- '-rf' $'new\nline' $'\xff\xfe' '*'
  ln -s "$outside" link
  ln "$outside/canary" hard
  mkdir -m 000 closed
  # deeper than any path may be long
  (
    set +e
    for _ in {1..400}; do
      mkdir d-with-a-name && cd d-with-a-name 2>/dev/null || break
    done
  )
  cd /
  narthex destroy -y gone
  all_gone gone
}

@test "a mounted directory survives: it is refused, and nothing is touched" {
  guest_tree gone busybox
  guest_conf gone </dev/null
  mkdir "$containers/gone/mnt"
  mount --bind "$outside" "$containers/gone/mnt"
  run -125 --separate-stderr narthex destroy --yes gone
  matches "$stderr" "mounted at $containers/gone/mnt: unmount it first"
  [ -x "$containers/gone/bin/busybox" ]
  [ -e "$conf_dir/gone.conf" ]
  equal "$(cat "$containers/gone/mnt/canary")" sings
  umount "$containers/gone/mnt"
  narthex destroy --yes gone
  all_gone gone
}

@test "it asks on a terminal, and takes no for an answer" {
  guest_tree gone busybox
  guest_conf gone </dev/null
  talk '
    spawn narthex destroy gone
    need {Destroy container .gone. and its files for good\? \[y/N\] }
    send "n\r"
    need {stays}
    need_eof'
  [ -x "$containers/gone/bin/busybox" ]
  talk '
    spawn narthex destroy gone
    need {\[y/N\] }
    send "y\r"
    need_eof'
  all_gone gone
}

@test "without a terminal it wants --yes" {
  guest_tree gone busybox
  guest_conf gone </dev/null
  run -2 --separate-stderr narthex destroy gone </dev/null
  matches "$stderr" 'give --yes'
  run -2 --separate-stderr narthex destroy gone <<<y
  [ -x "$containers/gone/bin/busybox" ]
  [ -e "$conf_dir/gone.conf" ]
}

@test "a container in the foreground is refused" {
  guest_tree gone busybox
  narthex run --name=gone ${flavour:+$([ "$flavour" = nouserns ] && echo --private-users=no)} -- sleep 1000 </dev/null >/dev/null 2>&1 3>&- &
  local pid=$!
  poll 20 narthex status gone
  run -125 --separate-stderr narthex destroy --yes gone
  matches "$stderr" 'runs in the foreground'
  [ -x "$containers/gone/bin/busybox" ]
  kill "$pid"
  wait "$pid" || true
  narthex destroy --yes gone
  all_gone gone
}

@test "what the system's configuration declares is refused" {
  mkdir -p /nix/store/etc-gone
  guest_tree gone busybox
  echo '[Exec]' >/nix/store/etc-gone/gone.conf
  mkdir -p "$outside/static"
  ln -s /nix/store/etc-gone/gone.conf "$outside/static/gone.conf"
  ln -s "$outside/static/gone.conf" "$conf_dir/gone.conf"
  run -125 --separate-stderr narthex destroy --yes gone
  matches "$stderr" 'declared by the system configuration'
  [ -L "$conf_dir/gone.conf" ]
  [ -x "$containers/gone/bin/busybox" ]
  rm "$conf_dir/gone.conf"
  echo >"$conf_dir/gone.conf"
  mount --bind -o ro "$conf_dir" "$conf_dir"
  mount -o remount,bind,ro "$conf_dir"
  run --separate-stderr narthex destroy --yes gone
  umount "$conf_dir"
  equal "$status" 125
  matches "$stderr" 'declared by the system configuration'
  [ -x "$containers/gone/bin/busybox" ]
  rm -rf --one-file-system /nix
}

@test "a tree elsewhere stays, and so does one that two share" {
  mkdir "$outside/tree"
  printf '[Files]\nRoot=%s\n' "$outside/tree" | guest_conf gone
  run -0 --separate-stderr narthex destroy --yes gone
  matches "$stderr" 'stays'
  [ -d "$outside/tree" ]
  all_gone gone
  guest_tree gone busybox
  guest_conf gone </dev/null
  printf '[Files]\nRoot=%s\n' "$containers/gone" | guest_conf other
  run -125 --separate-stderr narthex destroy --yes gone
  matches "$stderr" "container 'other' has the same tree"
  [ -x "$containers/gone/bin/busybox" ]
}

@test "a tree in which another one runs, of no file, stays" {
  guest_tree gone busybox
  guest_conf gone </dev/null
  timeout $((60 * ease)) narthex run --name visitor --root "$containers/gone" </dev/null >/dev/null 2>&1 3>&- &
  runs() { narthex status --json visitor | grep -q '"state":"running"'; }
  poll 30 runs
  run -125 --separate-stderr narthex destroy --yes gone
  matches "$stderr" "container 'visitor' runs in this tree: stop it first"
  [ -x "$containers/gone/bin/busybox" ]
  narthex stop visitor
  narthex destroy --yes gone
  all_gone gone
}

@test "podman's names: a container may have them, and podman keeps what it has" {
  mkdir -p "$outside/tree" "$containers/storage/overlay" "$containers/.destroy-storage"
  printf '[Files]\nRoot=%s\n' "$outside/tree" | guest_conf storage
  run -0 --separate-stderr narthex destroy --yes storage
  [ -d "$outside/tree" ]
  [ ! -e "$conf_dir/storage.conf" ]
  [ -d "$containers/.destroy-storage" ]
  run -2 --separate-stderr narthex destroy --yes storage
  matches "$stderr" 'belongs to podman'
  # the last two would fail, were they not empty
  rmdir "$containers/storage/overlay" "$containers/storage" "$containers/.destroy-storage"
}

@test "what an interrupted destroy left is removed by the next" {
  guest_tree gone busybox
  mv "$containers/gone" "$containers/.destroy-gone"
  narthex destroy --yes gone
  all_gone gone
}

@test "there is no such container" {
  guest_conf gone </dev/null
  run -125 --separate-stderr narthex destroy --yes gnoe
  matches "$stderr" "did you mean 'gone'"
  run -2 narthex destroy --yes ../gone
  run -2 narthex destroy --yes storage
  run -2 narthex destroy --yes
}
