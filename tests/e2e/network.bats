#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Private network, host network, names.

load lib

teardown() {
  guests_remove_all
}

# the guests have no ip and no ping of their own
tools() { # NAME
  mkdir -p "$containers/$1/usr/local/bin"
  cp /bin/busybox "$containers/$1/usr/local/bin/"
}

@test "the seed's declarative example: addresses, both ways, IPv4 and IPv6" {
  guest_tree foo
  tools foo
  guest_conf foo <<'END'
[Network]
Private=yes
HostAddress=10.231.136.1
LocalAddress=10.231.136.2
HostAddress6=fd00:136::1
LocalAddress6=fd00:136::2
END
  guest_start foo
  # at once: no address is tentative
  ping -c 1 -W 20 10.231.136.2
  ping -c 1 -W 20 fd00:136::2
  inside foo 'busybox ping -c 1 -W 20 10.231.136.1 >/dev/null && busybox ping -c 1 -W 20 fd00:136::1 >/dev/null && echo pong' >"$BATS_TEST_TMPDIR/out"
  equal "$(cat "$BATS_TEST_TMPDIR/out")" pong
  equal "$(inside foo 'ls /sys/class/net | sort | tr "\n" " "')" 'eth0 lo '
  matches "$(ip -o addr show c-foo)" '10\.231\.136\.1/32'
  matches "$(inside foo 'busybox ip -4 route')" 'default via 10\.231\.136\.1 dev eth0'
  matches "$(inside foo 'busybox ip -6 route')" 'default via fd00:136::1 dev eth0'
  matches "$(ip route)" '10\.231\.136\.2 dev c-foo'
  equal "$(inside foo 'cat /sys/class/net/eth0/operstate /sys/class/net/lo/carrier' | tr '\n' ' ')" 'up 1 '
}

@test "TCP both ways" {
  guest_tree foo
  tools foo
  guest_conf foo <<'END'
[Network]
HostAddress=10.13.0.1
LocalAddress=10.13.0.2
END
  guest_start foo
  inside foo 'busybox nc -l -p 7000 -e /bin/echo from the guest >/dev/null 2>&1 & sleep_free=1; for i in $(seq 400); do grep -q :1B58 /proc/net/tcp /proc/net/tcp6 && break; read -rt 0.05 <> <(:); done; setsid nohup busybox nc -l -p 7001 -e /bin/echo from the guest </dev/null >/dev/null 2>&1 & for i in $(seq 400); do grep -q :1B59 /proc/net/tcp /proc/net/tcp6 && break; read -rt 0.05 <> <(:); done; true'
  equal "$(timeout 40 socat -t30 - tcp:10.13.0.2:7001 </dev/null)" 'from the guest'
  # half a second after the guest's end of input, as by default, the host's words may still be on their way
  timeout 300 socat -t30 tcp-listen:7002,bind=10.13.0.1,reuseaddr,fork system:'echo from the host' 3>&- &
  local server=$!
  poll 30 grep -q ':1B5A' /proc/net/tcp
  run inside foo 'busybox nc 10.13.0.1 7002 </dev/null'
  kill "$server"
  equal "$output" 'from the host'
}

@test "root of a private network has power over it, and doesn't see the host's" {
  local outside
  guest_tree foo
  tools foo
  guest_conf foo <<'END'
[Network]
Private=yes
END
  ip link add hostdummy type veth peer name hostdummy2
  guest_start foo
  inside foo 'busybox ip link add inner type veth && busybox ip link set inner up && ls /sys/class/net' >"$BATS_TEST_TMPDIR/in"
  outside=$(ls /sys/class/net)
  ip link del hostdummy
  matches "$(cat "$BATS_TEST_TMPDIR/in")" inner
  [[ $(cat "$BATS_TEST_TMPDIR/in") != *hostdummy* ]]
  matches "$outside" hostdummy
  [[ $outside != *inner* ]]
}

@test "a private network without addresses has lo only" {
  guest_tree foo
  guest_conf foo <<'END'
[Network]
Private=yes
END
  guest_start foo
  equal "$(inside foo 'ls /sys/class/net')" lo
  # of those before it, too
  poll 30 no_link_of_ours
}

no_link_of_ours() {
  [ -z "$(ip -br link | grep ^c-)" ]
}

@test "without a private network the guest has the host's interfaces, and no power over them" {
  guest_tree foo
  tools foo
  guest_conf foo </dev/null
  ip link add hostdummy type veth peer name hostdummy2
  guest_start foo
  matches "$(inside foo 'cat /proc/net/dev')" hostdummy
  run inside foo 'busybox ip link set hostdummy up 2>&1; busybox ip link del hostdummy 2>&1; busybox ip link add x type veth 2>&1; echo 1 2>&1 >/proc/sys/net/ipv4/ip_forward'
  echo "$output"
  matches "$output" 'permitted|denied|Read-only'
  [ -e /sys/class/net/hostdummy ]
  [ ! -e /sys/class/net/x ]
  [[ $(ip -br link show hostdummy) != *UP* ]]
  ip link del hostdummy
}

@test "names of 1, 15, 16 and 63 characters" {
  local name n=0
  for name in a b23456789012345 c234567890123456 "d$(printf '%062d' 0)"; do
    n=$((n + 1))
    guest_up "$name" <<END
[Network]
HostAddress=10.14.$n.1
LocalAddress=10.14.$n.2
END
    ping -c 1 -W 20 "10.14.$n.2"
    # the long ones are known by their full name, too
    matches "$(ip -o link show "c-$name")" 'c-'
    equal "$(inside "$name" 'cat /proc/sys/kernel/hostname')" "$name"
    guest_remove "$name"
    none_left "$name"
  done
}

@test "two long names with a common prefix run side by side" {
  local prefix n
  prefix=$(printf 'x%.0s' {1..60})
  for n in 1 2; do
    guest_up "$prefix-$n" <<END
[Network]
HostAddress=10.15.$n.1
LocalAddress=10.15.$n.2
END
  done
  ping -c 1 -W 20 10.15.1.2
  ping -c 1 -W 20 10.15.2.2
  [ "$(cat "/sys/class/net/$(ip -o link show "c-$prefix-1" | cut -d' ' -f2 | cut -d@ -f1)/ifindex")" != \
    "$(cat "/sys/class/net/$(ip -o link show "c-$prefix-2" | cut -d' ' -f2 | cut -d@ -f1)/ifindex")" ]
}

@test "an interface of somebody else's with our name is an error that names it, and is left alone" {
  guest_tree foo
  guest_conf foo <<'END'
[Network]
HostAddress=10.16.0.1
LocalAddress=10.16.0.2
[Service]
Restart=no
END
  ip link add c-foo type veth peer name stranger
  run timeout 60 systemctl start container-foo
  [ "$status" -ne 0 ]
  ip link show c-foo type veth
  ip link del c-foo
  matches "$(log_of foo)" 'c-foo'
  systemctl reset-failed container-foo
  guest_start foo
  ping -c 1 -W 20 10.16.0.2
}

@test "MACAddress= is the guest's" {
  guest_up foo <<'END'
[Network]
HostAddress=10.17.0.1
LocalAddress=10.17.0.2
MACAddress=02:11:22:33:44:55
END
  equal "$(inside foo 'cat /sys/class/net/eth0/address')" 02:11:22:33:44:55
}
