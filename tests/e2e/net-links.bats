#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# MACVLAN=, IPVLAN=, Interface=, NamespacePath=, Naming=. Another machine on the wire is a network namespace.

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
  ip link del card 2>/dev/null || true
}

# Starts a container that must fail; what it said is in $output.
refused() { # NAME
  run timeout $((60 * slow)) systemctl start "container-$1"
  [ "$status" -ne 0 ]
  output=$(log_of "$1")
  systemctl reset-failed "container-$1" 2>/dev/null || true
}

# A busybox guest's doors open a moment after its init has started.
answers() { # NAME
  [ "$(inside "$1" 'echo yes')" = yes ]
}

up() { # NAME: guest_up busybox, and it can be talked to
  guest_up "$1" busybox
  poll 30 answers "$1"
}

again() { # NAME: restarted
  guest_stop "$1"
  guest_start "$1"
  poll 30 answers "$1"
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
  machine ping -c 1 -W 20 10.70.0.11
  machine ping -c 1 -W 20 fd70::11
  inside one 'ping -c 1 -W 20 10.70.0.1 && ping -6 -c 1 -W 20 fd70::1 && ping -c 1 -W 20 10.70.0.12'
  matches "$(inside one 'ip route')" 'default via 10\.70\.0\.1 dev mv-wire0'
  matches "$(inside one 'ip -6 route')" 'default via fd70::1 dev mv-wire0'
  equal "$(inside one 'cat /sys/class/net/mv-wire0/address /sys/class/net/mv-wire0/mtu' | tr '\n' ' ')" '02:00:00:00:70:11 1400 '
  equal "$(inside two 'ls /sys/class/net' | tr '\n' ' ')" 'lan lo spare '
  # the host, too, from a macvlan of its own
  ip link add mv-host link wire0 type macvlan mode bridge
  ip addr add 10.70.0.2/24 dev mv-host
  ip link set mv-host up
  ping -c 1 -W 20 10.70.0.11
  ping -c 1 -W 20 10.70.0.12
  ip link del mv-host
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

# A card that has macvlans can have no ipvlan, and those of the guests before end a moment after them.
ipvlan_or_none() {
  ip link add link wire0 try type ipvlan mode l2 2>"$BATS_TEST_TMPDIR/said" || not grep -q 'busy' "$BATS_TEST_TMPDIR/said"
}

@test "IPVLAN=: on the host's card with its hardware address, or the kernel's lack of it is said" {
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
  poll 30 ipvlan_or_none
  if [ -e /sys/class/net/try ]; then
    ip link del try
    guest_start ivy
    machine ping -c 1 -W 20 10.70.0.13
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
  poll 30 answers side
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
  inside side 'setsid nc -l -p 7100 -e echo from the side >/dev/null 2>&1 </dev/null & for i in $(seq 400); do grep -q :1BBC /proc/net/tcp /proc/net/tcp6 && break; usleep 50000; done'
  inside car 'nc 127.0.0.1 7100 </dev/null' >"$BATS_TEST_TMPDIR/out"
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
  ping -c 1 -W 20 10.72.0.2
  ip link add br7 type bridge
  guest_conf nsp <<<$'[Network]\nNaming=nspawn\nBridge=br7'
  again nsp
  matches "$(ip -o link show vb-nsp)" 'master br7 '
  guest_remove nsp
  ip link del br7
  poll 30 test ! -e /sys/class/net/vb-nsp
  [ ! -e /sys/class/net/ve-nsp ]
}

# The host's card, as the administrator has it; what it is, in a form that can be compared.
card_up() {
  ip link add card type veth peer name card1 netns machine
  ip -n machine addr add 10.73.0.1/24 dev card1
  ip -n machine link set card1 up
  ip link set card alias 'the spare card' mtu 1400 address 02:00:00:00:73:02
  ip link property add dev card altname spare-card
  ip link set card up
  ip addr add 10.73.0.2/24 dev card label card:a
  ip addr add 10.73.1.2/32 dev card
  ip addr add fd73::2/64 dev card nodad
}

card() {
  ip -o link show card | grep -oE 'mtu [0-9]+|[<,]UP|link/ether [^ ]+|alias .*|altname .*|master [^ ]+'
  ip -o addr show card | grep -oE 'inet6? (10|fd)[^ ]+.*' | sed 's/tentative//' | sort
  cat /sys/class/net/card/ifindex
}

with_card='
[Network]
Interface=card
[Link card]
LocalAddress=10.73.0.9/24
[Service]
Restart=no
'

is_back() {
  [ "$(card 2>/dev/null)" = "$1" ]
}

@test "Interface=: the host's card is the container's, and comes back as it was" {
  local before
  card_up
  before=$(card)
  guest_tree mover busybox
  guest_conf mover <<<"$with_card"
  guest_start mover
  poll 30 answers mover
  [ ! -e /sys/class/net/card ]
  equal "$(inside mover 'ls /sys/class/net' | tr '\n' ' ')" 'card lo '
  machine ping -c 1 -W 20 10.73.0.9
  inside mover 'ping -c 1 -W 20 10.73.0.1'
  # a second one who wants it is told who has it
  guest_tree envy busybox
  guest_conf envy <<<"$with_card"
  refused envy
  matches "$output" "Interface=card: container 'mover' has this interface"
  guest_remove envy
  guest_stop mover
  equal "$(card)" "$before"
  ping -c 1 -W 20 10.73.0.1
  none_left mover
}

@test "Interface=: a reboot keeps it, whatever the guest has made of it" {
  local before
  before=$(card)
  guest_start mover
  poll 30 answers mover
  # renamed, in a bridge, with another address, and in the way: a name that the host has
  inside mover 'ip link set card down; ip link set card name lan; ip link add br0 type bridge; ip link set lan master br0; ip link set lan address 02:00:00:00:00:99; ip link set lan mtu 1300; ip link set lan up'
  nsenter -t "$(guest_leader mover)" -n ip link property add dev lan altname wire0
  inside mover 'reboot' || true
  poll 30 rebooted mover
  poll 30 answers mover
  equal "$(inside mover 'ls /sys/class/net' | tr '\n' ' ')" 'card lo '
  machine ping -c 1 -W 20 10.73.0.9
  guest_stop mover
  equal "$(card)" "$before"
}

rebooted() { # NAME
  narthex status --json "$1" | grep -q '"boots": *2'
}

@test "Interface=: kill -9 of the launcher, and it is back with its addresses" {
  local before
  ip link add br3 type bridge
  ip link set card master br3
  before=$(card)
  matches "$before" 'master br3'
  guest_start mover
  poll 30 answers mover
  kill -KILL "$(launcher_pid mover)"
  poll 30 is_back "$before"
  equal "$(card)" "$before"
  ip link set card nomaster
  ip link del br3
  none_left mover
}

@test "Interface=: kill -9 without a unit that cleans: the next start gives it back first" {
  local before pid no_userns=()
  [ "$flavour" = userns ] || no_userns=(--set Exec.PrivateUsers=no)
  before=$(card)
  systemctl reset-failed container-mover 2>/dev/null || true
  /usr/lib/narthex/narthex-launch --foreground --root "$containers/mover" --name mover \
    --set Network.Interface=card "${no_userns[@]}" </dev/null >"$BATS_TEST_TMPDIR/log" 2>&1 3>&- &
  pid=$!
  poll 30 test -e /run/narthex/mover/private/link-card
  poll 30 test ! -e /sys/class/net/card
  kill -KILL "$pid"
  wait "$pid" || true
  poll 20 unlocked mover
  [ ! -e /sys/class/net/card ]
  guest_start mover
  poll 30 answers mover
  equal "$(inside mover 'ls /sys/class/net' | tr '\n' ' ')" 'card lo '
  guest_stop mover
  equal "$(card)" "$before"
}

@test "Interface=: its name taken meanwhile, it comes back under another, and the log says so" {
  guest_start mover
  poll 30 answers mover
  ip link add card type bridge
  guest_stop mover
  matches "$(log_of mover)" "the name is taken by card \(kind 'bridge'.*"
  matches "$(ip -o -4 addr show to 10.73.0.2/32)" '^[0-9]+: dev[0-9]+ '
  ip link del card
  guest_remove mover
}
