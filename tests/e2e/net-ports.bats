#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Port=, Masquerade=: from another machine ("world", a network namespace on a wire), from the host's addresses,
# from localhost; routed and bridged; what stays of it, and what it lets through.

load lib
load net-world

masqueraded='[Network]
HostAddress=10.9.1.1
LocalAddress=10.9.1.2
HostAddress6=fd09:1::1
LocalAddress6=fd09:1::2
Masquerade=yes'

setup_file() {
  world_up
  ip link add br0 type bridge
  ip addr add 192.168.70.1/24 dev br0
  ip addr add fd70::1/64 dev br0 nodad
  ip link set br0 up
  # somebody else's rules
  nft add table inet other
  nft 'add chain inet other forward { type filter hook forward priority 0; policy accept; }'
  nft 'add chain inet other nat_in { type nat hook prerouting priority -100; }'
  nft 'add rule inet other nat_in tcp dport 9 dnat ip to 192.0.2.1'
  nft -s list table inet other >"$BATS_FILE_TMPDIR/other"
  guest_up web busybox <<'END'
[Network]
HostAddress=10.9.0.1
LocalAddress=10.9.0.2
HostAddress6=fd09::1
LocalAddress6=fd09::2
Port=8080:80
Port=udp:8080:80
Port=tcp:198.51.100.1:8081:80
Port=[fd51::1]:8081:80
Port=%uplink:8082:80
Port=127.0.0.1:8083:80
Port=[::1]:8083:80
END
  serve web
  guest_up bridged busybox <<'END'
[Network]
Bridge=br0
HostAddress=192.168.70.1
LocalAddress=192.168.70.2/24
Gateway6=fd70::1
LocalAddress6=fd70::2/64
Port=8090:80
Port=udp:8090:80
END
  serve bridged
}

teardown_file() {
  serve_no_more web
  serve_no_more bridged
  guests_remove_all
  world_down
  ip link del br0
  nft delete table inet other
}

@test "another machine reaches the port, and is seen as who it is: TCP, UDP, IPv4, IPv6" {
  equal "$(in_world bash -c 'seen tcp:198.51.100.1:8080')" 198.51.100.9
  equal "$(in_world bash -c 'seen tcp6:[fd51::1]:8080')" fd51::9
  equal "$(in_world bash -c 'seen_udp 198.51.100.1 8080')" 198.51.100.9
  equal "$(in_world bash -c 'seen_udp fd51::1 8080')" fd51::9
}

@test "the host reaches it by its own addresses and by localhost" {
  local address
  for address in tcp:127.0.0.1:8080 tcp:127.1.2.3:8080 tcp:198.51.100.1:8080 tcp:10.9.0.1:8080; do
    equal "$(seen "$address")" 10.9.0.1
  done
  for address in 'tcp6:[::1]:8080' 'tcp6:[fd51::1]:8080' 'tcp6:[fd09::1]:8080'; do
    equal "$(seen "$address")" fd09::1
  done
  equal "$(seen_udp 127.0.0.1 8080)" 10.9.0.1
  equal "$(seen_udp ::1 8080)" fd09::1
}

@test "the container reaches itself by the host's address" {
  equal "$(in_net web bash -c 'seen tcp:10.9.0.1:8080')" 10.9.0.1
  equal "$(in_net web bash -c 'seen tcp6:[fd09::1]:8080')" fd09::1
}

@test "a port of one address or one interface is not one of others" {
  equal "$(in_world bash -c 'seen tcp:198.51.100.1:8081')" 198.51.100.9
  equal "$(in_world bash -c 'seen tcp6:[fd51::1]:8081')" fd51::9
  equal "$(unseen tcp:127.0.0.1:8081)" ''
  equal "$(in_world bash -c 'seen tcp:198.51.100.1:8082')" 198.51.100.9
  equal "$(unseen tcp:127.0.0.1:8082)" ''
  equal "$(in_world bash -c 'unseen tcp:198.51.100.1:8083')" ''
  equal "$(seen tcp:127.0.0.1:8083)" 10.9.0.1
  equal "$(seen 'tcp6:[::1]:8083')" fd09::1
}

@test "bridged: other machines, the host, localhost, a neighbour on the bridge" {
  equal "$(in_world bash -c 'seen tcp:198.51.100.1:8090')" 198.51.100.9
  # its default route leads through Gateway6=, which needn't be the host
  equal "$(in_world bash -c 'seen tcp6:[fd51::1]:8090')" fd70::1
  equal "$(in_world bash -c 'seen_udp 198.51.100.1 8090')" 198.51.100.9
  equal "$(seen tcp:127.0.0.1:8090)" 192.168.70.1
  equal "$(seen tcp:198.51.100.1:8090)" 192.168.70.1
  equal "$(seen 'tcp6:[::1]:8090')" fd70::1
  equal "$(seen_udp ::1 8090)" fd70::1
  guest_up neighbour busybox <<'END'
[Network]
Bridge=br0
LocalAddress=192.168.70.3/24
END
  equal "$(in_net neighbour bash -c 'seen tcp:192.168.70.1:8090')" 192.168.70.1
  guest_remove neighbour
}

# What a hostile guest can do: its own loopback is elsewhere, and what is sent to localhost goes to the host.
misroute() { # VIA
  ip addr flush dev lo
  ip route replace 127.0.0.1 via "$1" dev eth0
  ip -6 route replace ::1 via "$2" dev eth0
  echo 1 >/proc/sys/net/ipv4/conf/eth0/route_localnet
}
export -f misroute

@test "localhost for the host's sake does not open the host's loopback to guests" {
  local servers=()
  "${server[@]}" tcp-listen:9999,bind=127.0.0.1,fork system:'echo secret' >/dev/null 2>&1 3>&- &
  servers+=($!)
  "${server[@]}" tcp6-listen:9999,'bind=[::1]',fork system:'echo secret' >/dev/null 2>&1 3>&- &
  servers+=($!)
  poll 30 grep -q ':270F' /proc/net/tcp
  poll 30 grep -q ':270F' /proc/net/tcp6
  equal "$(cat /proc/sys/net/ipv4/conf/{all,c-web,br0}/route_localnet | tr '\n' ' ')" '0 0 0 '
  equal "$(ip -6 route show table local | grep -c '^local ::1 ')" 1
  in_net web bash -c 'misroute 10.9.0.1 fd09::1'
  in_net bridged bash -c 'misroute 192.168.70.1 fd70::1'
  equal "$(in_net web bash -c 'unseen tcp:127.0.0.1:9999,bind=10.9.0.2')" ''
  equal "$(in_net web bash -c 'unseen tcp6:[::1]:9999,bind=[fd09::2]')" ''
  equal "$(in_net bridged bash -c 'unseen tcp:127.0.0.1:9999,bind=192.168.70.2')" ''
  equal "$(in_net bridged bash -c 'unseen tcp6:[::1]:9999,bind=[fd70::2]')" ''
  # for the comparison: what such a setting of the host would have done
  echo 1 >/proc/sys/net/ipv4/conf/c-web/route_localnet
  run in_net web timeout 30 socat -t20 - tcp:127.0.0.1:9999,bind=10.9.0.2
  echo 0 >/proc/sys/net/ipv4/conf/c-web/route_localnet
  kill "${servers[@]}"
  equal "$output" secret
}

@test "the host doesn't become a router: nothing but the ports passes" {
  equal "$(cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding | tr '\n' ' ')" '0 0 '
  in_world ip route add 10.9.0.2 via 198.51.100.1
  equal "$(in_world bash -c 'unseen tcp:10.9.0.2:80')" ''
  in_world ip route del 10.9.0.2
  equal "$(in_net web bash -c 'unseen tcp:198.51.100.9:80')" ''
  run in_net web ping -c 1 -W 1 198.51.100.9
  [ "$status" != 0 ]
  # nor does the guest get to others behind the host
  run in_net web ping -c 1 -W 1 192.168.70.2
  [ "$status" != 0 ]
}

@test "Masquerade=: the guest reaches the world with the host's address, both families" {
  serve_in world
  guest_up out busybox <<<"$masqueraded"
  equal "$(in_net out bash -c 'seen tcp:198.51.100.9:80')" 198.51.100.1
  equal "$(in_net out bash -c 'seen tcp6:[fd51::9]:80')" fd51::1
  # others are no better off
  equal "$(in_net web bash -c 'unseen tcp:198.51.100.9:80')" ''
  guest_stop out
  serve_no_more world
  none_of_it out
  guest_remove out
}

@test "a port that is taken is an error that says whose" {
  local holder
  guest_tree second busybox
  guest_conf second <<'END'
[Network]
HostAddress=10.9.2.1
LocalAddress=10.9.2.2
Port=tcp:127.0.0.1:8080:80
[Service]
Restart=no
END
  run systemctl start container-second
  [ "$status" != 0 ]
  log_of second | grep -F "port tcp:127.0.0.1:8080 of container 'second' is taken by container 'web'"
  socat tcp-listen:8077,fork system:true >/dev/null 2>&1 3>&- &
  holder=$!
  poll 30 grep -q ':1F8D' /proc/net/tcp /proc/net/tcp6
  guest_conf second <<'END'
[Network]
HostAddress=10.9.2.1
LocalAddress=10.9.2.2
Port=8077:80
[Service]
Restart=no
END
  run systemctl start container-second
  kill "$holder"
  [ "$status" != 0 ]
  log_of second | grep -F "port tcp:8077 of container 'second' is taken on the host by socat (pid $holder)"
  none_of_it second
  guest_remove second
  # and what a container has nobody can take from it
  run socat tcp-listen:8080,reuseaddr -
  matches "$output" 'Address already in use'
}

@test "rules of others are left alone, whatever comes and goes" {
  guest_up second busybox <<'END'
[Network]
HostAddress=10.9.2.1
LocalAddress=10.9.2.2
Masquerade=yes
Port=8070:80
END
  equal "$(nft -s list table inet other)" "$(cat "$BATS_FILE_TMPDIR/other")"
  nft list table inet narthex-second
  guest_remove second
  equal "$(nft -s list table inet other)" "$(cat "$BATS_FILE_TMPDIR/other")"
}

@test "reload: ports come and go, all of them or none, and a connection through one lives on" {
  local answer
  guest_up second busybox <<'END'
[Network]
HostAddress=10.9.2.1
LocalAddress=10.9.2.2
Port=8070:80
Port=8071:80
END
  nsenter -t "$(guest_leader second)" -n "${server[@]}" tcp-listen:80,fork,reuseaddr exec:cat >/dev/null 2>&1 3>&- &
  echo $! >"$BATS_FILE_TMPDIR/second.pids"
  poll 30 in_net second grep -q ':0050 .* 0A ' /proc/net/tcp
  coproc talker { socat - tcp:127.0.0.1:8070; }
  echo one >&"${talker[1]}"
  read -rt 30 answer <&"${talker[0]}"
  equal "$answer" one
  sed -i 's/8071/8072/' "$conf_dir/second.conf"
  run narthex reload second
  equal "$status" 0
  matches "$output" 'applied: \[Network\] Port=8072:80 \(was 8071:80\)'
  equal "$(cat /run/narthex/second/ports)" $'tcp:8070:80\ntcp:8072:80'
  equal "$(echo hello | socat -t30 - tcp:127.0.0.1:8072)" hello
  run socat -u tcp:127.0.0.1:8071,connect-timeout=30 -
  matches "$output" refused
  # 8080 is another's: none of the change is made
  sed -i 's/8072:80/8073:80\nPort=8080:80/' "$conf_dir/second.conf"
  run narthex reload second
  [ "$status" != 0 ]
  matches "$output" "port tcp:8080 of container 'second' is taken by container 'web'"
  equal "$(cat /run/narthex/second/ports)" $'tcp:8070:80\ntcp:8072:80'
  equal "$(echo hello | socat -t30 - tcp:127.0.0.1:8072)" hello
  echo two >&"${talker[1]}"
  read -rt 30 answer <&"${talker[0]}"
  equal "$answer" two
  kill "$talker_PID"
  serve_no_more second
  guest_remove second
}

br1_forwards() { # NAME: for its sake, and with its guard
  [ "$(cat /proc/sys/net/ipv4/conf/br1/forwarding)" = 1 ] && grep -qx "$1 forward4 br1" /run/narthex/.borrowed &&
    nft list chain inet "narthex-$1" forward | grep -F 'meta nfproto ipv4 iifname "br1" drop'
}

br1_is_left_alone() { # NAME
  [ "$(cat /proc/sys/net/ipv4/conf/br1/forwarding)" = 0 ] && not grep -q "^$1 " /run/narthex/.borrowed
}

@test "forwarding ends with what it was turned on for: the guest's address, the guest before a reboot, the last port" {
  ip link add br1 type bridge
  ip addr add 192.168.71.1/24 dev br1
  ip link set br1 up
  guest_up second busybox <<<$'[Network]\nBridge=br1\nPort=8070:80'
  br1_is_left_alone second
  in_net second ip addr add 192.168.71.2/24 dev eth0
  poll 30 br1_forwards second
  # the guest's root decides about that
  in_net second ip addr flush dev eth0
  poll 30 br1_is_left_alone second
  in_net second ip addr add 192.168.71.2/24 dev eth0
  poll 30 br1_forwards second
  narthex reboot second
  poll 30 br1_is_left_alone second
  in_net second ip addr add 192.168.71.2/24 dev eth0
  poll 30 br1_forwards second
  guest_conf second <<<$'[Network]\nBridge=br1'
  narthex reload second
  br1_is_left_alone second
  none_of_it second
  guest_remove second
  # its own interface, too
  guest_up second busybox <<<$'[Network]\nHostAddress=10.9.2.1\nLocalAddress=10.9.2.2\nPort=8070:80'
  equal "$(cat /proc/sys/net/ipv4/conf/c-second/forwarding /proc/sys/net/ipv4/conf/br1/forwarding | tr '\n' ' ')" '1 1 '
  guest_conf second <<<$'[Network]\nHostAddress=10.9.2.1\nLocalAddress=10.9.2.2'
  narthex reload second
  equal "$(cat /proc/sys/net/ipv4/conf/c-second/forwarding /proc/sys/net/ipv4/conf/br1/forwarding | tr '\n' ' ')" '0 0 '
  none_of_it second
  guest_remove second
  ip link del br1
}

@test "a guest that ends while a reload adds its first zone and port leaves neither" {
  local lock
  guest_up second busybox <<<$'[Network]\nHostAddress=10.9.2.1\nLocalAddress=10.9.2.2'
  guest_conf second <<<$'[Network]\nZone=beta\nHostAddress=10.9.2.1/24\nLocalAddress=10.9.2.2/24\nPort=8070:80'
  # the zone is made, and for the port somebody waits for a turn at nftables
  exec {lock}>>/run/narthex/.nftables-lock
  flock "$lock"
  narthex reload second >/dev/null 2>&1 3>&- {lock}>&- &
  poll 30 test -e /sys/class/net/vz-beta
  guest_stop second
  exec {lock}>&-
  poll 30 test ! -e /sys/class/net/vz-beta
  none_of_it second
  guest_remove second
}

@test "a crash leaves nothing, nor does the next start" {
  local before
  guest_up second busybox <<'END'
[Network]
Bridge=br0
HostAddress=192.168.70.1
LocalAddress=192.168.70.5/24
Port=8070:80
[Service]
ExecStopPost=
Restart=no
END
  nft list table inet narthex-second
  before=$(cat /run/narthex/.borrowed)
  matches "$before" 'second forward4 br0'
  kill -KILL "$(launcher_pid second)"
  poll 30 is_failed second
  systemctl reset-failed container-second
  # the guards outlive it until somebody cleans up
  nft list table inet narthex-second
  "$(command -v /usr/lib/narthex/narthex-launch)" --cleanup second
  none_of_it second
  # the bridge is still needed by others
  equal "$(cat /proc/sys/net/ipv4/conf/br0/forwarding)" 1
  guest_remove second
}

@test "with the last container everything is as it was" {
  serve_no_more web
  serve_no_more bridged
  : >"$BATS_FILE_TMPDIR/web.pids"
  : >"$BATS_FILE_TMPDIR/bridged.pids"
  equal "$(cat /proc/sys/net/ipv4/conf/uplink/forwarding)" 1
  guest_remove web bridged
  none_left web
  none_left bridged
  equal "$(nft list tables)" 'table inet other'
  equal "$(cat /run/narthex/.borrowed)" ''
  equal "$(cat /proc/sys/net/ipv4/conf/uplink/forwarding /proc/sys/net/ipv6/conf/uplink/force_forwarding | tr '\n' ' ')" '0 0 '
  equal "$(cat /proc/sys/net/ipv4/conf/br0/forwarding)" 0
}
