#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Binds, tmpfs and roots that forget.

load lib

teardown() {
  guests_remove_all
}

# Every file's kind, mode, owner, size, time and content.
tree_hash() { # DIR
  (cd "$1" && find . -printf '%p %y %m %U:%G %s %T@ %l\n' | sort && find . -type f -print0 | sort -z | xargs -0 sha256sum) | sha256sum
}

@test "ephemeral: the guest writes, the tree stays, the live root is at /run/narthex/NAME/root" {
  local before
  guest_tree eph
  before=$(tree_hash "$containers/eph")
  guest_conf eph <<'END'
[Exec]
Ephemeral=yes
END
  guest_start eph
  local sock=/run/narthex/eph/root/var/lib/root-shell.socket
  equal "$(echo 'echo new >/root/new; rm /etc/issue; chown alice /etc/hosts 2>/dev/null; cat /root/new' | timeout 60 socat -t 50 - unix:$sock)" new
  equal "$(cat /run/narthex/eph/root/root/new)" new
  [ ! -e "$containers/eph/root/new" ]
  [ ! -S "$containers/eph/var/lib/root-shell.socket" ]
  guest_stop eph
  equal "$(tree_hash "$containers/eph")" "$before"
  none_left eph
  guest_start eph
  equal "$(echo 'ls /root/new /etc/issue 2>/dev/null' | timeout 60 socat -t 50 - unix:$sock)" /etc/issue
}

@test "ephemeral: a reboot keeps what was written, a stop forgets it" {
  guest_up eph <<'END'
[Exec]
Ephemeral=yes
END
  local sock=/run/narthex/eph/root/var/lib/root-shell.socket
  echo 'touch /root/new /run/this-boot' | timeout 60 socat -t 50 - unix:$sock
  echo reboot | socat - unix:$sock
  poll 40 says /root/new
  guest_stop eph
  guest_start eph
  says none
}

says() { # WHAT: which of the two files are there
  equal "$(echo 'ls /root/new /run/this-boot 2>/dev/null || [ -e /root/new ] || echo none' |
    timeout 60 socat -t 50 - unix:/run/narthex/eph/root/var/lib/root-shell.socket)" "$1"
}

@test "two ephemeral guests share one tree" {
  local n
  guest_tree base
  for n in 1 2; do
    guest_conf "share$n" <<END
[Exec]
Ephemeral=yes
[Files]
Root=$containers/base
END
  done
  guest_start share1
  guest_start share2
  echo 'echo one >/root/who' | timeout 60 socat -t 50 - unix:/run/narthex/share1/root/var/lib/root-shell.socket
  equal "$(echo 'cat /root/who 2>&1' | timeout 60 socat -t 50 - unix:/run/narthex/share2/root/var/lib/root-shell.socket | grep -c one)" 0
  guest_remove share1 share2
  rm -rf --one-file-system "${containers:?}/base"
}

@test "binds: read-write, read-only, of a file, optional" {
  mkdir -p "$BATS_TEST_TMPDIR"/{rw,ro}
  chmod 0755 "$BATS_TEST_TMPDIR" "$BATS_TEST_TMPDIR"/{rw,ro}
  chmod 1777 "$BATS_TEST_TMPDIR"/{rw,ro}
  echo from-host >"$BATS_TEST_TMPDIR/ro/file"
  guest_up bind <<END
[Files]
Bind=$BATS_TEST_TMPDIR/rw:/mnt/rw
Bind=-/nowhere:/mnt/nowhere
BindReadOnly=$BATS_TEST_TMPDIR/ro:/mnt/ro
BindReadOnly=$BATS_TEST_TMPDIR/ro/file:/etc/from-host
TemporaryFileSystem=/scratch:size=1M
END
  equal "$(inside bind 'cat /mnt/ro/file /etc/from-host' | tr '\n' ' ')" 'from-host from-host '
  inside bind 'echo from-guest >/mnt/rw/file'
  equal "$(cat "$BATS_TEST_TMPDIR/rw/file")" from-guest
  equal "$(inside bind '(echo x >/mnt/ro/file) 2>/dev/null || echo refused')" refused
  if [ "$flavour" = userns ]; then
    # the mount's flags are locked; without a user namespace root can do as it likes
    equal "$(inside bind 'mount -o remount,rw,bind /mnt/ro 2>/dev/null && (echo x >/mnt/ro/file) 2>/dev/null && echo WROTE')" ''
  fi
  equal "$(cat "$BATS_TEST_TMPDIR/ro/file")" from-host
  equal "$(inside bind 'stat -f -c %T /scratch; head -c 2000000 /dev/zero >/scratch/big 2>/dev/null || echo full')" $'tmpfs\nfull'
}

@test "a bind's source that is missing is an error that names it" {
  guest_tree bind
  guest_conf bind <<'END'
[Files]
Bind=/does/not/exist:/mnt
[Service]
Restart=no
END
  run timeout 60 systemctl start container-bind
  [ "$status" -ne 0 ]
  matches "$(log_of bind)" '/does/not/exist'
  none_left bind
}
