#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# MACVLAN=, IPVLAN=, NamespacePath=, Naming=. Another machine on the wire is a network namespace.

load lib

setup_file() {
  # the wire: wire0 is the host's card, card0 the other machine's
  ip netns add machine
  ip link add wire0 type veth peer name card0 netns machine
  ip link set wire0 up
  ip -n machine addr add 10.70.0.1/24 dev card0
  ip -n machine addr add fd70::1/64 dev card0 nodad
  ip -n machine link set card0 up
  ip -n machine link set lo up
}

teardown_file() {
  guests_remove_all
  ip netns del machine
  ip netns del car 2>/dev/null || true
}

# Starts a container that must fail; what it said is in $output.
refused() { # NAME
  run timeout $((60 * slow)) systemctl start "container-$1"
  [ "$status" -ne 0 ]
  output=$(journalctl -o cat --no-pager -u "container-$1")
  systemctl reset-failed "container-$1" 2>/dev/null || true
}

# A busybox guest's doors open a moment after its init has started.
answers() { # NAME
  [ "$(inside "$1" 'echo yes')" = yes ]
}

up() { # NAME: guest_up busybox, and it can be talked to
  guest_up "$1" busybox
  poll 20 answers "$1"
}

again() { # NAME: restarted
  guest_stop "$1"
  guest_start "$1"
  poll 20 answers "$1"
}

machine() {
  ip netns exec machine "$@"
}

@test "MACVLAN=: two guests on the host's card, with the machine on its wire and with each other" {
  up one <<'END'
[Network]
MACVLAN=wire0
[Link mv-wire0]
LocalAddress=10.70.0.11/24
Gateway=10.70.0.1
LocalAddress6=fd70::11/64
Gateway6=fd70::1
MACAddress=02:00:00:00:70:11
MTU=1400
END
  up two <<'END'
[Network]
MACVLAN=wire0:lan wire0:spare
[Link lan]
LocalAddress=10.70.0.12/24
END
  machine ping -c 1 -W 5 10.70.0.11
  machine ping -c 1 -W 5 fd70::11
  inside one 'ping -c 1 -W 5 10.70.0.1 && ping -6 -c 1 -W 5 fd70::1 && ping -c 1 -W 5 10.70.0.12'
  matches "$(inside one 'ip route')" 'default via 10\.70\.0\.1 dev mv-wire0'
  matches "$(inside one 'ip -6 route')" 'default via fd70::1 dev mv-wire0'
  equal "$(inside one 'cat /sys/class/net/mv-wire0/address /sys/class/net/mv-wire0/mtu' | tr '\n' ' ')" '02:00:00:00:70:11 1400 '
  equal "$(inside two 'ls /sys/class/net' | tr '\n' ' ')" 'lan lo spare '
}

@test "MACVLAN=: the hardware address is the same at each start, and the host keeps nothing" {
  local before
  before=$(inside two 'cat /sys/class/net/lan/address')
  again two
  equal "$(inside two 'cat /sys/class/net/lan/address')" "$before"
  # a multiple of it would be a broken derivation
  [ "$before" != "$(inside two 'cat /sys/class/net/spare/address')" ]
  guest_remove one two
  [ -z "$(ip -o link show type macvlan)" ]
}

@test "IPVLAN=: on the host's card with its hardware address, or the kernel's lack of it is said" {
  local file=$BATS_TEST_TMPDIR/said
  guest_tree ivy busybox
  guest_conf ivy <<'END'
[Network]
IPVLAN=wire0
[Link iv-wire0]
LocalAddress=10.70.0.13/24
[Service]
Restart=no
END
  ip link set wire0 up
  if ip link add link wire0 try type ipvlan mode l2 2>"$file"; then
    ip link del try
    guest_start ivy
    machine ping -c 1 -W 5 10.70.0.13
    equal "$(inside ivy 'cat /sys/class/net/iv-wire0/address')" "$(cat /sys/class/net/wire0/address)"
  else
    refused ivy
    matches "$output" 'cannot create the ipvlan iv-wire0 on wire0 in the container: .*this kernel may have no ipvlan \(CONFIG_IPVLAN\)'
  fi
  guest_remove ivy
}

@test "a card that isn't there is an error that names key and card" {
  guest_tree lost busybox
  guest_conf lost <<<$'[Network]\nMACVLAN=nocard\n[Service]\nRestart=no'
  refused lost
  matches "$output" "MACVLAN=nocard: there is no interface 'nocard' on the host"
  guest_remove lost
}

@test "NamespacePath=: the guest is in a network that is there, and has no power over it" {
  up side <<<$'[Network]\nNamespacePath=/run/netns/machine'
  equal "$(inside side 'ls /sys/class/net' | tr '\n' ' ')" 'card0 lo '
  matches "$(inside side 'ip -o addr show card0')" '10\.70\.0\.1/24'
  run inside side 'ip link set card0 down 2>&1; ip addr add 10.70.0.99/24 dev card0 2>&1; echo 1 2>&1 >/proc/sys/net/ipv4/ip_forward'
  matches "$output" 'permitted|denied|Read-only'
  matches "$(machine ip -o link show card0)" 'UP'
  [[ $(machine ip -o addr show card0) != *10.70.0.99* ]]
  # the namespace outlives the container, and a reboot joins it again
  guest_stop side
  matches "$(machine ip -o addr show card0)" '10\.70\.0\.1/24'
  guest_start side
  poll 20 answers side
  equal "$(inside side 'ls /sys/class/net' | tr '\n' ' ')" 'card0 lo '
}

@test "NamespacePath=: two guests share one, as sidecars do" {
  up car <<'END'
[Network]
HostAddress=10.71.0.1
LocalAddress=10.71.0.2
END
  ip netns attach car "$(guest_leader car)"
  guest_conf side <<<$'[Network]\nNamespacePath=/run/netns/car'
  again side
  matches "$(inside side 'ip -o addr show eth0')" '10\.71\.0\.2/32'
  inside side 'setsid nohup nc -l -p 7100 -e echo from the side >/dev/null 2>&1 </dev/null & true'
  inside car 'for i in $(seq 100); do grep -q :1BBC /proc/net/tcp /proc/net/tcp6 && break; usleep 50000; done; nc 127.0.0.1 7100' >"$BATS_TEST_TMPDIR/out"
  equal "$(cat "$BATS_TEST_TMPDIR/out")" 'from the side'
  ip netns del car
  guest_remove side car
}

@test "NamespacePath=: a path that is missing, or no network namespace, is an error" {
  guest_tree lost busybox
  guest_conf lost <<<$'[Network]\nNamespacePath=/run/netns/none\n[Service]\nRestart=no'
  refused lost
  matches "$output" "cannot open '/run/netns/none' \(NamespacePath=\), make the network namespace before"
  guest_conf lost <<<$'[Network]\nNamespacePath=/etc/passwd\n[Service]\nRestart=no'
  refused lost
  matches "$output" "'/etc/passwd' \(NamespacePath=\) is no network namespace"
  guest_conf lost <<<$'[Network]\nNamespacePath=/proc/self/ns/mnt\n[Service]\nRestart=no'
  refused lost
  matches "$output" 'is no network namespace'
  guest_remove lost
}

@test "Naming=nspawn: host0 inside, ve-NAME on the host, vb-NAME on a bridge; nothing is left" {
  up nsp <<'END'
[Network]
Naming=nspawn
HostAddress=10.72.0.1
LocalAddress=10.72.0.2
END
  equal "$(inside nsp 'ls /sys/class/net' | tr '\n' ' ')" 'host0 lo '
  [ -e /sys/class/net/ve-nsp ]
  ping -c 1 -W 5 10.72.0.2
  ip link add br7 type bridge
  guest_conf nsp <<<$'[Network]\nNaming=nspawn\nBridge=br7'
  again nsp
  matches "$(ip -o link show vb-nsp)" 'master br7 '
  guest_remove nsp
  ip link del br7
  poll 10 test ! -e /sys/class/net/vb-nsp
  [ ! -e /sys/class/net/ve-nsp ]
}
