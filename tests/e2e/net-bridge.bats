#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Bridge=, Zone=, VirtualEthernetExtra= and [Link NAME], Gateway=, MTU=.

load lib

setup_file() {
  ip link add br0 type bridge
  ip addr add 192.168.60.1/24 dev br0
  ip addr add fd60::1/64 dev br0 nodad
  ip link set br0 up
  # the wire to the world: a bridge takes the lowest address of its ports
  ip link add uplink address 02:00:00:00:60:01 type veth peer name world
  ip link set uplink master br0 up
  ip link add br1 type bridge
  ip addr add 192.168.61.1/24 dev br1
  ip link set br1 up
  guest_up web busybox <<'END'
[Network]
Bridge=br0
LocalAddress=192.168.60.100/24
LocalAddress6=fd60::100/64
HostAddress=192.168.60.1
Gateway6=fd60::1
MTU=1400
VirtualEthernetExtra=web1:veth1 veth2
[Link veth1]
Bridge=br1
LocalAddress=192.168.61.100/24
[Link veth2]
HostAddress=192.168.62.1
LocalAddress=192.168.62.100
HostAddress6=fd62::1
LocalAddress6=fd62::100
MACAddress=02:00:00:00:62:64
MTU=1300
END
}

teardown_file() {
  guests_remove_all
  ip link del br0
  ip link del br1
  ip link del uplink
}

@test "Bridge=: the guest is on the host's bridge, with its address and netmask, both ways, both families" {
  ping -c 1 -W 20 192.168.60.100
  ping -c 1 -W 20 fd60::100
  inside web 'ping -c 1 -W 20 192.168.60.1 && ping -6 -c 1 -W 20 fd60::1'
  equal "$(inside web 'ip -o -4 addr show eth0' | grep -o 'inet [^ ]*')" 'inet 192.168.60.100/24'
  matches "$(ip -o link show c-web)" 'mtu 1400 .* master br0 '
  # the bridge keeps its own addresses, and the link has none
  equal "$(ip -o addr show dev c-web scope global)" ''
  equal "$(ip -o -4 addr show dev br0 | grep -c 'inet ')" 1
}

@test "Bridge=: the default routes lead through HostAddress= and Gateway6=" {
  matches "$(inside web 'ip route')" 'default via 192\.168\.60\.1 dev eth0'
  matches "$(inside web 'ip -6 route')" 'default via fd60::1 dev eth0'
  equal "$(inside web 'cat /sys/class/net/eth0/mtu')" 1400
}

@test "a link's hardware address never becomes the bridge's" {
  equal "$(cat /sys/class/net/br0/address)" 02:00:00:00:60:01
  guest_up second busybox <<'END'
[Network]
Bridge=br0
LocalAddress=192.168.60.101/24
END
  equal "$(cat /sys/class/net/br0/address)" 02:00:00:00:60:01
  # guests of one bridge reach each other
  inside web 'ping -c 1 -W 20 192.168.60.101'
  equal "$(inside second 'ip route' | grep -c default)" 0
  guest_remove second
}

@test "extra links: one on a bridge, one with a pair of addresses" {
  ping -c 1 -W 20 192.168.61.100
  ping -c 1 -W 20 192.168.62.100
  ping -c 1 -W 20 fd62::100
  inside web 'ping -c 1 -W 20 192.168.61.1 && ping -c 1 -W 20 192.168.62.1 && ping -6 -c 1 -W 20 fd62::1'
  equal "$(inside web 'ls /sys/class/net' | tr '\n' ' ')" 'eth0 lo veth1 veth2 '
  matches "$(ip -o link show web1)" 'master br1 '
  equal "$(inside web 'cat /sys/class/net/veth2/address /sys/class/net/veth2/mtu' | tr '\n' ' ')" '02:00:00:00:62:64 1300 '
  equal "$(cat /sys/class/net/veth2/mtu)" 1300
  # only eth0 leads out by itself
  equal "$(inside web 'ip route' | grep -c default)" 1
}

@test "all links are there before PID 1 starts" {
  guest_tree early busybox
  # inittab's first action, and what it saw
  printf '::sysinit:/bin/sh -c "ip -o addr >/early; ip route >>/early"\n' >>"$containers/early/etc/inittab"
  guest_conf early <<'END'
[Network]
Bridge=br0
LocalAddress=192.168.60.102/24
LocalAddress6=fd60::102/64
Gateway=192.168.60.1
VirtualEthernetExtra=early1
[Link early1]
HostAddress=192.168.63.1
LocalAddress=192.168.63.2
END
  guest_start early
  poll 30 test -s "$containers/early/early"
  poll 30 grep -q default "$containers/early/early"
  matches "$(cat "$containers/early/early")" 'eth0 +inet 192\.168\.60\.102/24'
  matches "$(cat "$containers/early/early")" 'eth0 +inet6 fd60::102/64'
  matches "$(cat "$containers/early/early")" 'early1 +inet 192\.168\.63\.2/32'
  matches "$(cat "$containers/early/early")" 'default via 192\.168\.60\.1 dev eth0'
  [[ $(grep fd60 "$containers/early/early") != *tentative* ]]
  guest_remove early
}

@test "a reboot and a restart bring the same links back" {
  local before
  before=$(inside web 'cat /sys/class/net/*/address')
  guest_stop web
  poll 30 test ! -e /sys/class/net/c-web
  poll 30 test ! -e /sys/class/net/web1
  guest_start web
  ping -c 1 -W 20 192.168.60.100
  ping -c 1 -W 20 192.168.61.100
  equal "$(inside web 'cat /sys/class/net/*/address')" "$before"
}

# What restarting the host's network does to a bridge.
bridge_anew() { # NAME ADDRESS
  ip link del "$1"
  ip link add "$1" type bridge
  ip addr add "$2" dev "$1"
  ip link set "$1" up
}

is_port_of() { # INTERFACE BRIDGE
  ip -o link show "$1" | grep -q "master $2 "
}

@test "a bridge that is deleted and made again has the guest's links again" {
  local n
  for n in 1 2; do
    bridge_anew br1 192.168.61.1/24
    poll 30 is_port_of web1 br1
    ping -c 1 -W 20 192.168.61.100
    inside web 'ping -c 1 -W 20 192.168.61.1'
  done
  # the guest has noticed nothing, and the other link neither
  equal "$(inside web 'cat /sys/class/net/veth1/address' | wc -l)" 1
  is_port_of c-web br0
  poll 30 web_says 'bridge br1 is new: web1 is a port of it again'
  # renamed into place, as some tools do
  ip link del br1
  ip link add new type bridge
  ip addr add 192.168.61.1/24 dev new
  ip link set new name br1
  ip link set br1 up
  poll 30 is_port_of web1 br1
  ping -c 1 -W 20 192.168.61.100
}

web_says() { # TEXT
  log_of web | grep -qF "$1"
}

wakeups() { # PID
  awk '/ctxt_switches/ { n += $2 } END { print n }' "/proc/$1/status"
}

# The launcher may have other things to do meanwhile, but not each time.
sleeps_through_news() { # PID
  local before
  before=$(wakeups "$1")
  ip link add other type bridge
  ip link add br10 type bridge
  ip link set other up
  ip link set br1 alias 'the same bridge'
  ip link set br1 down
  ip link set br1 up
  ip link del br10
  ip link del other
  [ "$(wakeups "$1")" = "$before" ]
}

@test "news of other interfaces, and of a bridge that is the same, don't wake the launcher" {
  poll 30 sleeps_through_news "$(launcher_pid web)"
  is_port_of web1 br1
}

@test "kill -9 of the launcher leaves none of the links" {
  local launcher
  guest_up dead busybox <<'END'
[Network]
Bridge=br0
LocalAddress=192.168.60.103/24
VirtualEthernetExtra=dead1
[Link dead1]
Bridge=br1
[Service]
Restart=no
END
  launcher=$(launcher_pid dead)
  kill -KILL "$launcher"
  poll 30 test ! -e /sys/class/net/c-dead
  poll 30 test ! -e /sys/class/net/dead1
  guest_remove dead
}

@test "Zone=: a bridge made with its first container and removed with its last" {
  local n
  for n in 2 3; do
    guest_up "zone$n" busybox <<END
[Network]
Zone=alpha
HostAddress=192.168.64.1/24
LocalAddress=192.168.64.$n/24
HostAddress6=fd64::1/64
LocalAddress6=fd64::$n/64
END
  done
  matches "$(ip -d -o link show vz-alpha)" 'bridge '
  equal "$(ip -o -4 addr show dev vz-alpha | grep -o 'inet [^ ]*')" 'inet 192.168.64.1/24'
  for n in 2 3; do
    ping -c 1 -W 20 "192.168.64.$n"
    ping -c 1 -W 20 "fd64::$n"
  done
  inside zone2 'ping -c 1 -W 20 192.168.64.3 && ping -6 -c 1 -W 20 fd64::3 && ping -c 1 -W 20 192.168.64.1'
  matches "$(inside zone2 'ip route')" 'default via 192\.168\.64\.1 dev eth0'
  guest_stop zone2
  # another is in it still
  ping -c 1 -W 20 192.168.64.3
  guest_stop zone3
  poll 30 test ! -e /sys/class/net/vz-alpha
  guest_start zone2
  ping -c 1 -W 20 192.168.64.2
  kill -KILL "$(launcher_pid zone2)"
  poll 30 revived zone2
  ping -c 1 -W 20 192.168.64.2
  guest_remove zone2 zone3
  poll 30 test ! -e /sys/class/net/vz-alpha
}

revived() { # NAME
  [ "$(systemctl show -P NRestarts "container-$1")" != 0 ] && [ "$(systemctl is-active "container-$1")" = active ]
}

@test "fifteen containers enter and leave a zone at once: it ends with the last" {
  local n units=()
  for n in {10..24}; do
    guest_tree "z$n" busybox
    guest_conf "z$n" <<END
[Network]
Zone=crowd
HostAddress=192.168.65.1/24
LocalAddress=192.168.65.$n/24
END
    units+=("container-z$n")
  done
  timeout $((100 * ease)) systemctl start "${units[@]}"
  for n in {10..24}; do
    ping -c 1 -W 20 "192.168.65.$n" >/dev/null
  done
  timeout $((100 * ease)) systemctl stop "${units[@]}"
  poll 30 test ! -e /sys/class/net/vz-crowd
}

# Starts a container that must fail; what it said is in $output.
refused() { # NAME
  run timeout $((60 * slow)) systemctl start "container-$1"
  [ "$status" -ne 0 ]
  output=$(log_of "$1")
  systemctl reset-failed "container-$1" 2>/dev/null || true
}

@test "a bridge that isn't there, or is none, is an error that says so" {
  guest_tree lost busybox
  guest_conf lost <<<$'[Network]\nBridge=nobr\n[Service]\nRestart=no'
  refused lost
  matches "$output" "there is no bridge 'nobr' on the host"
  guest_conf lost <<<$'[Network]\nBridge=c-web\n[Service]\nRestart=no'
  refused lost
  matches "$output" "interface c-web is no bridge \(kind 'veth'\)"
  [ ! -e /sys/class/net/c-lost ]
}

@test "names never collide: an error says whose the name is, and nothing is left" {
  guest_tree thief busybox
  guest_conf thief <<<$'[Network]\nBridge=br0\nVirtualEthernetExtra=web1:x\n[Service]\nRestart=no'
  refused thief
  matches "$output" "cannot create interface web1: the name is taken by web1 .*, which belongs to container 'web'"
  poll 30 test ! -e /sys/class/net/c-thief
  ping -c 1 -W 20 192.168.61.100
  ip link add mine type veth peer name mine2
  guest_conf thief <<<$'[Network]\nVirtualEthernetExtra=mine:x\n[Service]\nRestart=no'
  refused thief
  matches "$output" "the name is taken by mine \(kind 'veth', index [0-9]+, alias ''\), which is not this container's"
  [ -e /sys/class/net/mine ]
  ip link del mine
}

@test "VLAN= on a kernel or a bridge that can't filter VLANs is an error, not ignored" {
  if [ -e /sys/class/net/br0/bridge/vlan_filtering ]; then
    echo 0 >/sys/class/net/br0/bridge/vlan_filtering
  fi
  guest_tree vlan busybox
  guest_conf vlan <<<$'[Network]\nBridge=br0\nVLAN=7\nLocalAddress=192.168.60.104/24\n[Service]\nRestart=no'
  refused vlan
  matches "$output" 'VLAN'
  [ ! -e /sys/class/net/c-vlan ]
}
