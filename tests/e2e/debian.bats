#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# A Debian server under the defaults: what people do with one works.

load lib

setup_file() {
  export key=$BATS_FILE_TMPDIR/key
  ssh-keygen -q -t ed25519 -N '' -f "$key"
  guest_tree web server
  mkdir -p "$containers/web/root/.ssh"
  cp "$key.pub" "$containers/web/root/.ssh/authorized_keys"
  # a container in the container needs the program, and a tree
  cp -a "$containers/.templates/busybox" "$containers/web/srv/inner"
  guest_conf web <<'END'
[Files]
BindReadOnly=/usr/bin/narthex
BindReadOnly=/usr/lib/narthex
[Network]
HostAddress=10.41.0.1
LocalAddress=10.41.0.2
END
  guest_start web
}

teardown_file() {
  guests_remove_all
}

# As a user of the guest's; stdin is the command's.
as() { # USER CMD…
  local user=$1
  shift
  timeout $((60 * ease)) narthex exec web -u "$user" -- "$@"
}

@test "it is running, and no unit has failed" {
  equal "$(as root systemctl is-system-running --wait)" running
  equal "$(as root systemctl --failed --no-legend)" ''
}

@test "sudo and su" {
  equal "$(as alice sudo -S id -u <<<alicepw 2>/dev/null)" 0
  run -1 as alice sudo -S id -u <<<wrong
  equal "$(as alice su -c 'id -u' <<<rootpw 2>/dev/null)" 0
  equal "$(as root su - alice -c 'id -un')" alice
}

@test "ssh from the host, with and without a terminal" {
  local ssh=(timeout $((60 * ease)) ssh -i "$key" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR
    -o BatchMode=yes root@10.41.0.2)
  poll 20 "${ssh[@]}" true
  matches "$("${ssh[@]}" 'echo $SSH_CONNECTION')" '^10\.41\.0\.1 [0-9]+ 10\.41\.0\.2 22$'
  equal "$(head -c 1000000 /dev/zero | "${ssh[@]}" 'wc -c')" 1000000
  matches "$("${ssh[@]}" -tt 'tty; loginctl --no-pager --no-legend list-sessions' </dev/null)" '/dev/pts/.*root'
}

@test "a package is installed, with a service of its own" {
  local deb=$BATS_TEST_TMPDIR/deb
  mkdir -p "$deb/DEBIAN" "$deb/lib/systemd/system"
  printf 'Package: greeter\nVersion: 1\nArchitecture: all\nMaintainer: nobody <nobody@localhost>\nDescription: greets\nDepends: systemd\n' \
    >"$deb/DEBIAN/control"
  printf '#!/bin/sh\nset -e\nadduser --system --no-create-home greeter >/dev/null 2>&1 || useradd --system greeter\nsystemctl daemon-reload\nsystemctl enable --now greeter\n' \
    >"$deb/DEBIAN/postinst"
  printf '#!/bin/sh\nsystemctl disable --now greeter\n' >"$deb/DEBIAN/prerm"
  chmod 0755 "$deb"/DEBIAN/p*
  printf '[Service]\nType=oneshot\nRemainAfterExit=yes\nUser=greeter\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n' \
    >"$deb/lib/systemd/system/greeter.service"
  dpkg-deb --root-owner-group --build "$deb" "$containers/web/srv/greeter.deb"
  as root env DEBIAN_FRONTEND=noninteractive apt-get install -y /srv/greeter.deb
  equal "$(as root systemctl is-active greeter)" active
  as root env DEBIAN_FRONTEND=noninteractive apt-get purge -y greeter
  [ "$(as root systemctl is-active greeter)" != active ]
}

@test "systemd's sandboxing of services" {
  local property failed=
  as root systemd-run --wait --quiet -p DynamicUser=yes -p PrivateTmp=yes -p ProtectSystem=strict true
  for property in PrivateDevices=yes PrivateNetwork=yes ProtectKernelTunables=yes ProtectKernelLogs=yes ProtectKernelModules=yes \
    ProtectControlGroups=yes ProtectHostname=yes ProtectClock=yes ProtectHome=yes ProtectProc=invisible PrivateUsers=yes \
    PrivateIPC=yes RestrictNamespaces=yes RestrictAddressFamilies=AF_UNIX LockPersonality=yes MemoryDenyWriteExecute=yes \
    NoNewPrivileges=yes SystemCallFilter=@system-service SystemCallArchitectures=native RestrictSUIDSGID=yes \
    RestrictRealtime=yes StateDirectory=x CapabilityBoundingSet=CAP_CHOWN AmbientCapabilities=CAP_NET_BIND_SERVICE \
    TemporaryFileSystem=/mnt BindPaths=/etc:/mnt KeyringMode=private Nice=-5 OOMScoreAdjust=-500 LimitNOFILE=2000000 \
    LogNamespace=x; do
    as root systemd-run --wait --quiet -p "$property" true || failed+=" $property"
  done
  equal "$failed" ''
}

@test "namespaces of a user's own, and a container in the container" {
  equal "$(as alice unshare -Ur id -u)" 0
  equal "$(as alice unshare -Urmpf --mount-proc sh -c 'mount -t tmpfs x /mnt && echo $$')" 1
  # a sanitizer's build needs libraries that this guest doesn't have
  [ -z "$san" ] || return 0
  equal "$(as root narthex run --root /srv/inner --private-users no --private-network -- sh -c 'echo $$; ls /dev/null' 2>/dev/null)" $'2\n/dev/null'
  equal "$(as root narthex run --root /srv/inner --private-users no --ephemeral -- sh -c 'echo >/new && ls /new' 2>/dev/null)" /new
  [ ! -e "$containers/web/srv/inner/new" ]
  [ "$flavour" = userns ] || return 0
  # a range of ids of its own it can't have, and says so
  run -125 as root narthex run --root /srv/inner -- true
  matches "$output" 'it is a container itself; use PrivateUsers=no'
}
