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
  equal "$(inside nix 'ls /nix/var/nix/db 2>/dev/null')" ''
}

@test "Path= starts the system's init, through a profile, too" {
  local path
  for path in /nix/store/sys-system /nix/var/nix/profiles/system; do
    guest_up nix <<END
[Exec]
Path=$path
END
    poll 30 /build/tests/knock first "$(door nix root-shell)" 1 'echo up' up
    matches "$(inside nix 'cat /root/started')" 'system init'
    # its init became systemd: it is stopped as such, not by waiting for the deadline
    SECONDS=0
    guest_stop nix
    [ "$SECONDS" -lt $((20 * slow)) ]
    guest_remove nix
  done
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
  matches "$(journalctl -o cat --no-pager -u container-nix)" '/nix/store/abc-hello'
}
