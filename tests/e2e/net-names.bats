#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# ResolvConf=: the host's resolvers in the container; NAME.containers and the container's own name.

load lib

setup_file() {
  cp /etc/hosts "$BATS_FILE_TMPDIR/hosts"
}

setup() {
  mkdir -p /run/systemd/resolve
  rm -f /etc/resolv.conf
  printf '# comment\nnameserver 192.0.2.53\nsearch example.org\n' >/etc/resolv.conf
  printf '# upstream\nnameserver 198.51.100.53\n' >/run/systemd/resolve/resolv.conf
  printf 'nameserver 127.0.0.53\noptions edns0\n' >/run/systemd/resolve/stub-resolv.conf
}

teardown() {
  guests_remove_all
}

teardown_file() {
  rm -rf /etc/resolv.conf /run/systemd/resolve
  equal "$(cat /etc/hosts)" "$(cat "$BATS_FILE_TMPDIR/hosts")"
}

network=$'[Network]\nHostAddress=10.8.0.1\nLocalAddress=10.8.0.2\n'

resolvers() { # NAME: what the guest reads
  await "$1"
  inside "$1" 'cat /etc/resolv.conf'
}

# A guest without systemd is started before its doors are there.
await() { # NAME
  poll 30 inside "$1" true
}

resolvers_are() { # NAME TEXT
  [ "$(resolvers "$1")" = "$2" ]
}

# A guest's tree with a resolv.conf of its own, and what the guest reads after a start with a mode.
start_with() { # MODE [NETWORK]
  printf '[Exec]\nResolvConf=%s\n%s' "$1" "${2-$network}" | guest_conf dns
  guest_start dns
  await dns
}

@test "by default: a guest with an address from us and no resolvers has the host's, and what they become" {
  guest_up dns busybox <<<"$network"
  equal "$(resolvers dns)" $'nameserver 192.0.2.53\nsearch example.org'
  # written in place, replaced, gone, back
  echo 'nameserver 192.0.2.54' >/etc/resolv.conf
  poll 30 resolvers_are dns 'nameserver 192.0.2.54'
  echo 'nameserver 192.0.2.55' >/etc/resolv.conf.new
  mv /etc/resolv.conf.new /etc/resolv.conf
  poll 30 resolvers_are dns 'nameserver 192.0.2.55'
  rm /etc/resolv.conf
  poll 30 resolvers_are dns 'nameserver 198.51.100.53'
  ln -s /run/systemd/resolve/stub-resolv.conf /etc/resolv.conf
  echo 'nameserver 198.51.100.54' >/run/systemd/resolve/resolv.conf
  poll 30 resolvers_are dns 'nameserver 198.51.100.54'
  rm /etc/resolv.conf
  # the guest can't change what others could read, and nothing is written into its tree
  inside dns 'echo evil >/etc/resolv.conf; rm -f /etc/resolv.conf; true'
  # what locks a mount is the user namespace
  [ "$flavour" = nouserns ] || inside dns 'umount /etc/resolv.conf; true'
  equal "$(resolvers dns)" 'nameserver 198.51.100.54'
  equal "$(cat "$containers/dns/etc/resolv.conf")" ''
}

@test "missing when the container boots, and there later" {
  rm -rf /etc/resolv.conf /run/systemd/resolve
  guest_up dns busybox <<<"$network"
  equal "$(resolvers dns)" ''
  mkdir /run/systemd/resolve
  echo 'nameserver 198.51.100.56' >/run/systemd/resolve/resolv.conf
  poll 30 resolvers_are dns 'nameserver 198.51.100.56'
}

@test "a resolver on the host's loopback is its upstreams in a network of the container's own" {
  cp /run/systemd/resolve/stub-resolv.conf /etc/resolv.conf
  guest_up dns busybox <<<"$network"
  equal "$(resolvers dns)" 'nameserver 198.51.100.53'
  guest_remove dns
  # in the host's network it is what it is
  guest_up dns busybox </dev/null
  equal "$(resolvers dns)" $'nameserver 127.0.0.53\noptions edns0'
}

@test "what the guest has written itself, and a network that it configures itself, are its own" {
  guest_tree dns busybox
  echo 'nameserver 10.1.1.1' >"$containers/dns/etc/resolv.conf"
  guest_conf dns <<<"$network"
  guest_start dns
  equal "$(resolvers dns)" 'nameserver 10.1.1.1'
  guest_stop dns
  ln -sf /run/mine "$containers/dns/etc/resolv.conf"
  guest_start dns
  await dns
  equal "$(inside dns 'readlink /etc/resolv.conf')" /run/mine
  guest_stop dns
  rm "$containers/dns/etc/resolv.conf"
  guest_conf dns <<<$'[Network]\nVirtualEthernet=yes'
  guest_start dns
  await dns
  equal "$(inside dns 'ls /etc/resolv.conf 2>&1')" 'ls: /etc/resolv.conf: No such file or directory'
}

@test "copy-, replace-, bind- with -host, -static, -uplink, -stub; off; delete" {
  guest_tree dns busybox
  local own=$containers/dns/etc/resolv.conf
  echo 'nameserver 10.1.1.1' >"$own"
  start_with off
  equal "$(resolvers dns)" 'nameserver 10.1.1.1'
  guest_stop dns
  start_with copy-host
  equal "$(resolvers dns)" $'nameserver 192.0.2.53\nsearch example.org'
  inside dns 'echo mine >/etc/resolv.conf'
  equal "$(cat "$own")" mine
  guest_stop dns
  start_with bind-uplink
  equal "$(resolvers dns)" 'nameserver 198.51.100.53'
  # a running one is shown another
  sed -i s/bind-uplink/bind-host/ "$conf_dir/dns.conf"
  matches "$(narthex reload dns)" 'applied: \[Exec\] ResolvConf=bind-host \(was bind-uplink\)'
  equal "$(resolvers dns)" $'nameserver 192.0.2.53\nsearch example.org'
  inside dns 'echo evil >/etc/resolv.conf; true'
  guest_stop dns
  equal "$(cat "$own")" mine
  ln -sf ../run/mine "$own"
  start_with copy-uplink
  equal "$(inside dns 'readlink /etc/resolv.conf')" ../run/mine
  guest_stop dns
  start_with replace-uplink
  equal "$(resolvers dns)" 'nameserver 198.51.100.53'
  guest_stop dns
  start_with replace-stub ''
  equal "$(resolvers dns)" $'nameserver 127.0.0.53\noptions edns0'
  guest_stop dns
  start_with replace-static ''
  equal "$(resolvers dns)" "$(grep -v '^#' /usr/lib/systemd/resolv.conf 2>/dev/null | grep . || echo 'nameserver 127.0.0.53
options edns0')"
  guest_stop dns
  start_with delete
  equal "$(inside dns 'ls /etc/resolv.conf 2>&1')" 'ls: /etc/resolv.conf: No such file or directory'
}

@test "a tree that wants the host's files written or shown gets neither" {
  guest_tree dns busybox
  echo canary >/run/canary
  ln -sf /run/canary "$containers/dns/etc/resolv.conf"
  start_with replace-host
  equal "$(cat /run/canary)" canary
  guest_stop dns
  ln -sf ../../../../../../run/canary "$containers/dns/etc/resolv.conf"
  start_with bind-host
  equal "$(resolvers dns)" $'nameserver 192.0.2.53\nsearch example.org'
  guest_stop dns
  rm -f "$containers/dns/etc/resolv.conf"
  mkfifo "$containers/dns/etc/resolv.conf"
  start_with replace-host
  equal "$(resolvers dns)" $'nameserver 192.0.2.53\nsearch example.org'
  equal "$(cat /run/canary)" canary
  rm /run/canary
}

@test "the host knows NAME.containers for as long as the container runs, also after a crash" {
  guest_up dns busybox <<END
${network}HostAddress6=fd08::1
LocalAddress6=fd08::2
[Service]
Restart=no
ExecStopPost=
END
  guest_up other busybox <<'END'
[Network]
HostAddress=10.8.1.1
LocalAddress=10.8.1.2/24
END
  equal "$(getent ahostsv4 dns.containers | awk '{ print $1; exit }')" 10.8.0.2
  equal "$(getent ahostsv6 dns.containers | awk '{ print $1; exit }')" fd08::2
  ping -c 1 -W 20 other.containers
  equal "$(head -n "$(wc -l <"$BATS_FILE_TMPDIR/hosts")" /etc/hosts)" "$(cat "$BATS_FILE_TMPDIR/hosts")"
  kill -KILL "$(launcher_pid dns)"
  poll 30 is_failed dns
  "$(command -v /usr/lib/narthex/narthex-launch)" --cleanup dns
  not grep dns.containers /etc/hosts
  grep -q '^10\.8\.1\.2 other\.containers$' /etc/hosts
  guest_stop other
  equal "$(cat /etc/hosts)" "$(cat "$BATS_FILE_TMPDIR/hosts")"
}

@test "Hosts=: a guest knows localhost, itself and the others, as they come and go" {
  guest_tree dns busybox
  printf '[Exec]\nHostname=web\n%sHosts=yes\n' "$network" | guest_conf dns
  guest_start dns
  await dns
  matches "$(inside dns 'ping -c 1 -W 20 localhost; ping -c 1 -W 20 web; ping -c 1 -W 20 dns.containers')" '127\.0\.0\.1.*127\.0\.1\.1.*10\.8\.0\.2'
  guest_up other busybox <<'END'
[Network]
HostAddress=10.8.1.1
LocalAddress=10.8.1.2
END
  poll 30 eval 'inside dns "cat /etc/hosts" | grep -q "^10.8.1.2 other.containers"'
  await other
  # who hasn't asked for it isn't told, and who has can't change it
  equal "$(inside other 'grep containers /etc/hosts 2>/dev/null')" ''
  inside dns 'echo evil >>/etc/hosts; true'
  guest_remove other
  poll 30 eval '! inside dns "cat /etc/hosts" | grep -q other.containers'
  equal "$(inside dns 'cat /etc/hosts')" $'127.0.0.1 localhost\n::1 localhost ip6-localhost\n127.0.1.1 web\n10.8.0.2 dns.containers'
  not test -s "$containers/dns/etc/hosts"
}

@test "a hosts file that is somebody else's link is left alone" {
  mv /etc/hosts /etc/hosts.real
  ln -s hosts.real /etc/hosts
  guest_up dns busybox <<<"$network"
  equal "$(readlink /etc/hosts)" hosts.real
  equal "$(cat /etc/hosts)" "$(cat "$BATS_FILE_TMPDIR/hosts")"
  guest_remove dns
  rm /etc/hosts
  mv /etc/hosts.real /etc/hosts
}
