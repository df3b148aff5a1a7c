#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The guest's own network tools: systemd-networkd and a DHCP client, beside what the host has set.

load lib

setup_file() {
  ip link add lanbr type bridge
  ip addr add 192.168.90.1/24 dev lanbr
  ip link set lanbr up
  cat >"$BATS_FILE_TMPDIR/udhcpd.conf" <<END
interface lanbr
start 192.168.90.100
end 192.168.90.150
option subnet 255.255.255.0
option router 192.168.90.1
option lease 3600
lease_file $BATS_FILE_TMPDIR/leases
pidfile $BATS_FILE_TMPDIR/pid
END
  : >"$BATS_FILE_TMPDIR/leases"
  busybox udhcpd "$BATS_FILE_TMPDIR/udhcpd.conf" 3>&-
  poll 30 test -s "$BATS_FILE_TMPDIR/pid"
}

teardown_file() {
  guests_remove_all
  kill "$(cat "$BATS_FILE_TMPDIR/pid")"
  ip link del lanbr
}

# A Debian tree with networkd, and a service that is there once the network is online.
networkd_tree() { # NAME
  local tree=$containers/$1
  guest_tree "$1"
  cat >"$tree/etc/systemd/system/online.service" <<'END'
[Unit]
Wants=network-online.target
After=network-online.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/true
[Install]
WantedBy=multi-user.target
END
  chroot "$tree" systemctl -q enable systemd-networkd online
}

# start returns with multi-user.target, and that waits for the network: two minutes of wait-online would be too long
is_online() { # NAME
  equal "$(inside "$1" 'systemctl is-active online systemd-networkd-wait-online' | tr '\n' ' ')" 'active active '
}

# Starts it again and waits until it knows that it is online, or has given up.
networkd_again() { # NAME
  inside "$1" 'systemctl restart systemd-networkd && systemctl restart systemd-networkd-wait-online' >/dev/null
  is_online "$1"
}

@test "networkd keeps the addresses that the host has set, and knows that it is online" {
  networkd_tree nd
  cp /bin/busybox "$containers/nd/usr/local/bin/"
  printf '[Match]\nName=lan\n\n[Network]\nDHCP=ipv4\n' >"$containers/nd/etc/systemd/network/lan.network"
  guest_conf nd <<'END'
[Network]
HostAddress=10.88.0.1
LocalAddress=10.88.0.2
HostAddress6=fd88::1
LocalAddress6=fd88::2
VirtualEthernetExtra=nd1:lan
[Link lan]
Bridge=lanbr
END
  guest_start nd
  is_online nd
  ping -c 1 -W 20 10.88.0.2
  ping -c 1 -W 20 fd88::2
  matches "$(inside nd 'busybox ip route')" 'default via 10\.88\.0\.1 dev eth0'
  matches "$(inside nd 'busybox ip -6 route')" 'default via fd88::1 dev eth0'
  matches "$(inside nd 'networkctl --no-pager status eth0')" 'Network File: /run/systemd/network/zz-narthex.network'
}

@test "networkd gets a lease on a link that the host has left to it" {
  matches "$(inside nd 'busybox ip -o -4 addr show lan')" 'inet 192\.168\.90\.1[0-5][0-9]/24'
  matches "$(inside nd 'networkctl --no-pager status lan')" 'Network File: /etc/systemd/network/lan.network'
  inside nd 'busybox ping -c 1 -W 20 192.168.90.1'
}

@test "what the tree's owner has written about a link is what counts" {
  guest_stop nd
  printf '[Match]\nName=eth0\n\n[Network]\nAddress=10.88.0.7/32\nKeepConfiguration=yes\nIPv6AcceptRA=no\n' >"$containers/nd/etc/systemd/network/eth0.network"
  guest_start nd
  is_online nd
  matches "$(inside nd 'networkctl --no-pager status eth0')" 'Network File: /etc/systemd/network/eth0.network'
  matches "$(inside nd 'busybox ip -o -4 addr show eth0')" '10\.88\.0\.7/32'
  guest_remove nd
}

@test "Naming=nspawn: networkd's own file for host0 asks for a lease, or keeps the host's addresses; a reload tells it which" {
  networkd_tree nsp
  cp /bin/busybox "$containers/nsp/usr/local/bin/"
  guest_conf nsp <<<$'[Network]\nNaming=nspawn\nHostAddress=10.89.0.1\nLocalAddress=10.89.0.2'
  guest_start nsp
  is_online nsp
  equal "$(inside nsp 'busybox ip -o -4 addr show host0' | grep -o 'inet [^ ]*')" 'inet 10.89.0.2/32'
  guest_conf nsp <<<$'[Network]\nNaming=nspawn\nBridge=lanbr'
  narthex reload nsp
  networkd_again nsp
  matches "$(inside nsp 'busybox ip -o -4 addr show host0')" 'inet 192\.168\.90\.1[0-5][0-9]/24'
  matches "$(inside nsp 'busybox ip route')" 'default via 192\.168\.90\.1 dev host0'
  guest_conf nsp <<<$'[Network]\nNaming=nspawn\nHostAddress=10.89.0.1\nLocalAddress=10.89.0.3'
  narthex reload nsp
  networkd_again nsp
  equal "$(inside nsp 'busybox ip -o -4 addr show host0' | grep -o 'inet [^ ]*')" 'inet 10.89.0.3/32'
  guest_remove nsp
}

# A tree whose init asks for a lease.
lease_tree() { # NAME
  guest_tree "$1" busybox
  printf '#!/bin/sh\n[ "$1" = bound ] && ip addr add "$ip/$mask" dev "$interface"; exit 0\n' >"$containers/$1/usr/lease"
  chmod +x "$containers/$1/usr/lease"
  printf '::sysinit:/bin/udhcpc -i eth0 -s /usr/lease -t 40 -n -q\n' >>"$containers/$1/etc/inittab"
}

@test "a DHCP client of a guest without systemd gets a lease" {
  lease_tree bb
  guest_conf bb <<<$'[Network]\nBridge=lanbr'
  guest_start bb
  poll 30 leased bb
  guest_remove bb
}

shows() { # NAME ADDRESS
  [ "$(narthex show-ip -6 "$1")" = "$2" ]
}

@test "list, status and show-ip know the lease, and an IPv6 address that the guest has given itself" {
  lease_tree own
  guest_conf own <<<$'[Network]\nBridge=lanbr'
  guest_start own
  poll 30 leased own
  matches "$(narthex show-ip own)" '^192\.168\.90\.1[0-5][0-9]$'
  run -125 narthex show-ip -6 own
  equal "$output" "narthex: show-ip: container 'own' has no IPv6 address"
  # the kernel looks for another one with that address first
  inside own 'ip -6 addr add fd90::7/64 dev eth0'
  poll 30 shows own fd90::7
  matches "$(narthex list)" "own +running .* $(narthex show-ip own) "
  matches "$(narthex status own)" 'Address: fd90::7'
  matches "$(narthex status --json own)" "\"addresses\":\[\"$(narthex show-ip own)\",\"fd90::7\"\]"
  # the host's view of it is root's
  run -125 runuser -u nobody -- narthex show-ip own
  matches "$output" "the configuration of container 'own' has no address for it, and what it has given itself is known to root only"
  # what is configured counts
  printf '[Network]\nBridge=lanbr\nLocalAddress6=fd90::8/64\n' >"$conf_dir/own.conf"
  equal "$(narthex show-ip -6 own)" fd90::8
  guest_conf own <<<$'[Network]\nBridge=lanbr'
  guest_stop own
  run -125 narthex show-ip own
  matches "$output" 'known only while it runs'
  guest_remove own
}

leased() { # NAME
  [[ $(inside "$1" 'ip -o -4 addr show eth0') =~ inet\ 192\.168\.90\.1[0-5][0-9] ]]
}

# Where port 18080 leads, as the packet filter has it.
leads_to() { # NAME
  nft list table inet "narthex-$1" | sed -n '/prerouting/,/}/s/.*dnat ip6\{0,1\} to //p' | sort | tr '\n' ' '
}

leads() { # NAME WANTED
  [ "$(leads_to "$1")" = "$2" ]
}

lease_of() { # NAME
  inside "$1" 'ip -o -4 addr show eth0' | sed -n 's/.*inet \([0-9.]*\).*/\1/p'
}

served() { # ADDRESS:PORT
  timeout 30 busybox wget -qO- "http://$1/passwd"
}

follower() { # NAME
  pgrep -f "^narthex-network --follow $1 "
}

@test "Port= without LocalAddress= leads to the lease, to whatever address comes after it, and to none that isn't the container's" {
  local lease
  lease_tree dyn
  guest_conf dyn <<<$'[Network]\nBridge=lanbr\nPort=18080:80'
  guest_start dyn
  inside dyn 'httpd -p 80 -h /etc'
  poll 30 leased dyn
  lease=$(lease_of dyn)
  poll 30 leads dyn "$lease:80 "
  equal "$(served 127.0.0.1:18080)" "$(cat "$containers/dyn/etc/passwd")"
  equal "$(served 192.168.90.1:18080)" "$(cat "$containers/dyn/etc/passwd")"
  # one more changes nothing, and comes into its own when the first is gone
  inside dyn 'ip addr add 192.168.90.8/24 dev eth0; ip -6 addr add fd90::8/64 dev eth0'
  # the host has no way to that one yet
  ip addr add fd90::1/64 dev lanbr nodad
  poll 30 leads dyn "$lease:80 [fd90::8]:80 "
  inside dyn "ip addr del $lease/24 dev eth0; ip addr add 192.168.90.8/24 dev eth0 2>/dev/null; true"
  poll 30 leads dyn '192.168.90.8:80 [fd90::8]:80 '
  # the host's own, one that is elsewhere, nobody's
  inside dyn 'ip addr flush dev eth0; ip addr add 192.168.90.1/32 dev eth0; ip addr add 127.0.0.5/32 dev eth0; ip addr add 192.0.2.5/32 dev eth0; ip addr add 192.0.2.6/32 dev lo'
  poll 30 leads dyn ''
  inside dyn 'ip addr flush dev eth0; ip addr add 192.168.90.9/24 dev eth0'
  poll 30 leads dyn '192.168.90.9:80 '
}

@test "so it does after a reload, with another launcher, after a reboot, until the container's end" {
  local before launcher=/usr/lib/narthex/narthex-launch
  guest_conf dyn <<<$'[Network]\nBridge=lanbr\nPort=18081:80'
  narthex reload dyn
  equal "$(leads_to dyn)" '192.168.90.9:80 '
  equal "$(served 127.0.0.1:18081)" "$(cat "$containers/dyn/etc/passwd")"
  poll 30 follower dyn
  before=$(follower dyn)
  # another file of the same name, as a package puts there
  cp -a $launcher $launcher.new
  mv $launcher.new $launcher
  narthex reload --launcher dyn
  poll 30 another_follower dyn "$before"
  inside dyn 'ip addr del 192.168.90.9/24 dev eth0; ip addr add 192.168.90.10/24 dev eth0'
  poll 30 leads dyn '192.168.90.10:80 '
  narthex reboot dyn
  poll 30 leased dyn
  poll 30 leads dyn "$(lease_of dyn):80 "
  guest_conf dyn <<<$'[Network]\nBridge=lanbr\nLocalAddress=192.168.90.12/24\nPort=18081:80'
  narthex reload dyn
  equal "$(leads_to dyn)" '192.168.90.12:80 '
  equal "$(follower dyn)" ''
  guest_remove dyn
}

another_follower() { # NAME OLD-PID
  local now
  now=$(follower "$1")
  [ -n "$now" ] && [ "$now" != "$2" ]
}
