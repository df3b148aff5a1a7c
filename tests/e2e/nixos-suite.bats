#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What NixOS' own tests of its containers configure and assert, where no other file shows it: the table in docs/network.md
# has them all. A machine on the wire is a network namespace.

load lib

setup_file() {
  # NixOS' vlan 1: a switch, and cards of the host on it
  local card
  ip netns add switch
  ip -n switch link add sw type bridge
  ip -n switch link set sw up
  for card in carda cardb cardc cardd; do
    ip link add "$card" type veth peer name "to-$card" netns switch
    ip -n switch link set "to-$card" master sw up
  done
}

teardown_file() {
  guests_remove_all
  ip netns del switch
}

teardown() {
  guests_remove_all
  # its socket would start it again
  systemctl -q stop systemd-networkd.socket systemd-networkd
  rm -f /run/systemd/network/br0.network
  ip link del br0 2>/dev/null || true
  ip link del dummy-test 2>/dev/null || true
  systemctl -q stop srv-data.mount 2>/dev/null || true
  rm -f /run/systemd/system/srv-data.mount
}

answers() { # NAME
  [ "$(inside "$1" 'echo yes')" = yes ]
}

up() { # NAME: guest_up busybox, and it can be talked to
  guest_up "$1" busybox
  poll 30 answers "$1"
}

serves() { # ADDRESS
  [ "$(timeout 40 socat -t30 - "tcp:$1:80,connect-timeout=${seconds:-30}" </dev/null)" = hello ]
}

serve='setsid nc -ll -p 80 -e echo hello >/dev/null 2>&1 </dev/null & for i in $(seq 400); do grep -q :0050 /proc/net/tcp /proc/net/tcp6 && break; usleep 50000; done'

@test "bridge: a web server with addresses and one without" {
  ip link add br0 type bridge
  ip addr add 192.168.0.1/24 dev br0
  ip addr add fc00::1/7 dev br0 nodad
  ip link set br0 up
  up webserver <<<$'[Network]\nBridge=br0\nLocalAddress=192.168.0.100/24\nLocalAddress6=fc00::2/7'
  up web-noip <<<$'[Network]\nBridge=br0'
  inside webserver 'ip link show eth0' >/dev/null
  inside web-noip 'ip link show eth0' >/dev/null
  inside webserver "$serve"
  ping -n -c 1 -W 20 192.168.0.100
  ping -n -c 1 -W 20 fc00::2
  serves 192.168.0.100
  serves '[fc00::2]'
  equal "$(narthex show-ip webserver)" 192.168.0.100
  narthex stop webserver
  seconds=1
  not serves 192.168.0.100
  not serves '[fc00::2]'
}

@test "ipv6-slaac: a fixed MAC makes the address that the host's router advertisements promise" {
  local mac=b2:65:3f:c9:6b:10 address=fd5f:e1a2:4f0c:0:b065:3fff:fec9:6b10
  ip link add br0 address 72:ec:00:8b:75:44 type bridge
  mkdir -p /run/systemd/network
  cat >/run/systemd/network/br0.network <<'END'
[Match]
Name=br0
[Link]
RequiredForOnline=no
[Network]
ConfigureWithoutCarrier=yes
IPv6PrivacyExtensions=no
IPv6SendRA=yes
[IPv6SendRA]
RouterLifetimeSec=0
UplinkInterface=:none
[IPv6Prefix]
Prefix=fd5f:e1a2:4f0c::/64
Assign=yes
Token=eui64
[IPv6RoutePrefix]
Route=fd5f:e1a2:4f0c::/64
END
  systemctl start systemd-networkd.service
  up webserver <<<$'[Network]\nBridge=br0\nMACAddress='"$mac"
  equal "$(inside webserver 'cat /sys/class/net/eth0/address')" $mac
  poll 30 has_address fd5f:e1a2:4f0c:0:70ec:ff:fe8b:7544 ip -6 addr show br0
  poll 30 has_address $address inside webserver 'ip -6 addr show eth0'
  matches "$(inside webserver 'ip -6 route')" 'fd5f:e1a2:4f0c::/64 dev eth0'
  poll 30 ping -n -c 1 -W 2 $address
  inside webserver "$serve"
  serves "[$address]"
  # nobody promised a way out, and the host believes no router of the guest's
  equal "$(inside webserver 'ip -6 route' | grep -c '^default')" 0
}

has_address() { # ADDRESS CMD…
  local address=$1
  shift
  "$@" | grep -q "$address/64"
}

# A container with one of the host's cards, in the shape that SHAPE says.
on_the_wire() { # NAME CARD ADDRESS SHAPE
  local top=$2
  up "$1" <<<$'[Network]\nInterface='"$2"
  case $4 in
  *bond*)
    inside "$1" "ip link add bond0 type bond mode active-backup && ip link set $2 down && ip link set $2 master bond0 && ip link set bond0 up && echo done" >"$BATS_TEST_TMPDIR/out"
    equal "$(cat "$BATS_TEST_TMPDIR/out")" 'done'
    top=bond0
    ;;
  esac
  case $4 in
  bridge*)
    inside "$1" "ip link add br0 type bridge; ip link set $top master br0; ip link set br0 up"
    top=br0
    ;;
  esac
  inside "$1" "ip addr add $3/24 dev $top"
}

@test "physical_interfaces: a card alone, in a bridge, and where the kernel has bonds in those, too" {
  local shapes=('bridged cardb 10.10.0.2 bridge') shape name card address how
  if ip link add try type bond 2>/dev/null; then
    ip link del try
    shapes+=('bonded cardc 10.10.0.3 bond' 'bridgedbond cardd 10.10.0.4 bridge-bond')
  fi
  on_the_wire server carda 10.10.0.1 plain
  matches "$(inside server 'ip addr show dev carda')" '10\.10\.0\.1/24'
  for shape in "${shapes[@]}"; do
    read -r name card address how <<<"$shape"
    on_the_wire "$name" "$card" "$address" "$how"
    inside "$name" 'ping -w 30 -c 1 10.10.0.1 >/dev/null && echo pong' >"$BATS_TEST_TMPDIR/out"
    equal "$(cat "$BATS_TEST_TMPDIR/out")" pong
    guest_remove "$name"
    [ -e "/sys/class/net/$card" ]
  done
}

@test "physical_interfaces: a virtual one, with AutoStart=, and nothing waits for a device" {
  ip link add dummy-test type ifb
  guest_tree auto busybox
  guest_conf auto <<<$'[Exec]\nAutoStart=yes\n[Network]\nInterface=dummy-test'
  [[ $(systemctl list-dependencies container-auto) != *sys-subsystem-net* ]]
  systemctl stop machines.target
  systemctl start machines.target
  poll 30 answers auto
  inside auto 'ip addr show dev dummy-test' >/dev/null
  systemctl stop machines.target
  poll 30 test -e /sys/class/net/dummy-test
}

@test "restart_networking: a card joins the host's bridge, the bridge restarts with stp, and all is as before" {
  # its worst case is left out there: a bridge that restarts loses its containers
  bridge_up
  up webserver <<<$'[Network]\nBridge=br0'
  inside webserver 'ip addr add 192.168.1.122/24 dev eth0'
  poll 60 both_ways 192.168.1.1
  ip link set carda master br0 up
  poll 60 both_ways 192.168.1.1
  ip link del br0
  bridge_up stp_state 1 forward_delay 200
  ip link set carda master br0 up
  poll 60 both_ways 192.168.1.1
  ip link del br0
  bridge_up
  poll 60 both_ways 192.168.1.1
}

bridge_up() { # [OPTIONS…]
  ip link add br0 type bridge "$@"
  ip addr add 192.168.1.1/24 dev br0
  ip link set br0 up
}

both_ways() { # ADDRESS: of the host's
  ping -n -c 1 -W 5 192.168.1.122 &&
    [ "$(inside webserver "ping -c 1 -W 5 $1 >/dev/null && echo pong")" = pong ]
}

@test "tmpfs: on a directory, on one below it, on one that isn't there" {
  local tree=$containers/tmpfs
  # /srv for NixOS' /var, where this guest's doors are
  up tmpfs <<<$'[Files]\nTemporaryFileSystem=/srv\nTemporaryFileSystem=/srv/log\nTemporaryFileSystem=/some/random/path'
  equal "$(inside tmpfs 'grep -E " (/srv|/srv/log|/some/random/path) tmpfs " /proc/mounts | cut -d" " -f2 | sort' | tr '\n' ' ')" '/some/random/path /srv /srv/log '
  # what isn't on one of them is in the tree
  inside tmpfs 'echo >/root/test.file; echo >/some/random/path/test.file; test -e /some/random/path/test.file'
  [ -e "$tree/root/test.file" ]
  [ ! -e "$tree/some/random/path/test.file" ]
  touch "$tree/srv/test.file"
  equal "$(inside tmpfs 'ls /srv')" log
}

@test "require-bind-mounts: a bound directory's mount is there first, and its end is the container's" {
  mkdir -p /srv/data
  printf '[Mount]\nWhat=tmpfs\nWhere=/srv/data\nType=tmpfs\n' >/run/systemd/system/srv-data.mount
  guest_tree binder busybox
  guest_conf binder <<<$'[Files]\nBind=/srv/data'
  equal "$(systemctl is-active srv-data.mount || true)" inactive
  guest_start binder
  equal "$(systemctl is-active srv-data.mount)" active
  systemctl stop srv-data.mount
  equal "$(systemctl is-active container-binder || true)" inactive
  equal "$(systemctl is-active srv-data.mount || true)" inactive
}
