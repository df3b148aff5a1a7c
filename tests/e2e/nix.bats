#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The store read-only, profiles and roots of a container's own, Path= to a system.

load lib

# A Nix store as far as a launcher sees it.
setup_file() {
  mkdir -p /nix/store/abc-hello/bin /nix/var/nix/{db,daemon-socket,profiles,gcroots}
  printf '#!/bin/sh\necho hello from the store\n' >/nix/store/abc-hello/bin/hello
  chmod 755 /nix/store/abc-hello/bin/hello
  chmod 1775 /nix/store
  mkdir -p /nix/store/sys-system
  printf '#!/bin/sh\necho "system init, args: $*" >/root/started\nexec /sbin/init "$@"\n' >/nix/store/sys-system/init
  chmod 755 /nix/store/sys-system/init
  # a NixOS system has its systemd beside its init, which is a script
  ln -s /usr/lib/systemd /nix/store/sys-system/systemd
  ln -s /nix/store/sys-system /nix/var/nix/profiles/system
}

teardown_file() {
  guests_remove_all
  rm -rf --one-file-system /nix
}

teardown() {
  guests_remove_all
}

@test "the store is there by default, and root can't write to it" {
  guest_up nix </dev/null
  equal "$(inside nix /nix/store/abc-hello/bin/hello)" 'hello from the store'
  equal "$(inside nix '
    (touch /nix/store/x) 2>/dev/null && echo TOUCHED
    (echo x >>/nix/store/abc-hello/bin/hello) 2>/dev/null && echo WROTE
    rm -rf /nix/store/abc-hello 2>/dev/null && echo REMOVED
    chmod 777 /nix/store 2>/dev/null && echo CHMOD
    echo done')" 'done'
  equal "$(cat /nix/store/abc-hello/bin/hello)" $'#!/bin/sh\necho hello from the store'
}

@test "nor after remounting it" {
  [ "$flavour" = userns ] || return 0 # without a user namespace root is the host's root
  guest_up nix </dev/null
  equal "$(inside nix '
    mount -o remount,rw /nix/store 2>/dev/null && echo REMOUNTED
    mount -o remount,bind,rw /nix/store 2>/dev/null && echo REMOUNTED
    umount /nix/store 2>/dev/null && echo UNMOUNTED
    (touch /nix/store/x) 2>/dev/null && echo TOUCHED
    echo done')" 'done'
  [ ! -e /nix/store/x ]
}

@test "Store=no: no store in the guest" {
  guest_up nix <<'END'
[Files]
Store=no
END
  equal "$(inside nix 'ls /nix/store 2>/dev/null')" ''
}

@test "PerContainerNix=yes: profiles and roots of its own, writable, and of nobody else" {
  guest_up nix <<'END'
[Files]
PerContainerNix=yes
END
  inside nix 'ln -s /nix/store/abc-hello /nix/var/nix/profiles/mine; ln -s /nix/store/abc-hello /nix/var/nix/gcroots/mine'
  equal "$(readlink /nix/var/nix/profiles/per-container/nix/mine)" /nix/store/abc-hello
  equal "$(readlink /nix/var/nix/gcroots/per-container/nix/mine)" /nix/store/abc-hello
  [ ! -L /nix/var/nix/profiles/mine ]
  # what its root makes there is the host's root's: a setuid file must not be in reach of the host's users
  equal "$(stat -c '%u %a' /nix/var/nix/profiles/per-container /nix/var/nix/gcroots/per-container)" $'0 700\n0 700'
  equal "$(inside nix 'stat -c %u /nix/var/nix/profiles')" 0
}

@test "what the store knows of itself can't be changed, and the daemon is there when asked for" {
  echo untouched >/nix/var/nix/db/db.sqlite
  socat unix-listen:/nix/var/nix/daemon-socket/socket,fork,mode=666 exec:'echo daemon' 3>&- &
  local daemon=$!
  poll 20 test -S /nix/var/nix/daemon-socket/socket
  guest_up nix <<'END'
[Files]
PerContainerNix=yes
END
  equal "$(inside nix '
    (echo x >/nix/var/nix/db/db.sqlite) 2>/dev/null && echo WROTE
    (rm /nix/var/nix/db/db.sqlite) 2>/dev/null && echo REMOVED
    cat /nix/var/nix/db/db.sqlite
    ls /nix/var/nix/daemon-socket 2>/dev/null')" untouched
  guest_stop nix
  printf '[Files]\nNixDaemon=yes\n' >>"$conf_dir/nix.conf"
  guest_start nix
  equal "$(inside nix '
    (rm /nix/var/nix/daemon-socket/socket) 2>/dev/null && echo REMOVED
    perl -MSocket -e "socket S, PF_UNIX, SOCK_STREAM, 0; connect S, pack_sockaddr_un(q(/nix/var/nix/daemon-socket/socket)) or die; print <S>"')" daemon
  kill "$daemon"
}

@test "Path= starts the system's init, through a profile, too" {
  local path since
  for path in /nix/store/sys-system /nix/var/nix/profiles/system; do
    guest_up nix <<END
[Exec]
Path=$path
END
    poll 30 /build/tests/knock first "$(door nix root-shell)" 1 'echo up' up
    matches "$(inside nix 'cat /root/started')" 'system init'
    # its init became systemd: it is stopped as such, not by waiting for the deadline
    since=$(date +%s)
    guest_stop nix
    not grep 'has not stopped in time' <<<"$(log_of nix --since="@$since")"
    guest_remove nix
  done
}

@test "what runs is a root of the garbage collector as long as it runs" {
  guest_up nix <<'END'
[Exec]
Path=/nix/var/nix/profiles/system
END
  local link
  for link in booted current; do
    equal "$(readlink /run/narthex/nix/system/$link)" /nix/store/sys-system
    equal "$(readlink /nix/var/nix/gcroots/narthex/nix/$link)" /run/narthex/nix/system/$link
  done
  # a profile that moves on is looked at again when the guest is built again
  cp -a /nix/store/sys-system /nix/store/sys-second
  ln -sfn /nix/store/sys-second /nix/var/nix/profiles/system
  narthex reboot nix
  equal "$(readlink /run/narthex/nix/system/booted)" /nix/store/sys-second
  guest_stop nix
  [ ! -e /nix/var/nix/gcroots/narthex/nix ]
  ln -sfn /nix/store/sys-system /nix/var/nix/profiles/system
}

@test "Path= to something without an init: the error names it" {
  guest_tree nix
  guest_conf nix <<'END'
[Exec]
Path=/nix/store/abc-hello
[Service]
Restart=no
END
  run timeout 60 systemctl start container-nix
  [ "$status" -ne 0 ]
  matches "$(log_of nix)" '/nix/store/abc-hello'
}
