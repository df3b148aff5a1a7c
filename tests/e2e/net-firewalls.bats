#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Port=, Masquerade= on a host that has a firewall already: firewalld, or an administrator's rules of iptables (iptables-nft).
# What is let through, and that both leave each other's rules alone.

load lib
load net-world

setup_file() {
  world_up
  serve_in world
  ip link add br0 type bridge
  ip addr add 192.168.70.1/24 dev br0
  ip addr add fd70::1/64 dev br0 nodad
  ip link set br0 up
}

teardown_file() {
  serve_no_more world
  world_down
  ip link del br0
}

# busybox's init would take two seconds to end
at_once='[Exec]
KillSignal=SIGKILL'

setup() {
  : >"$BATS_FILE_TMPDIR/web.pids"
}

teardown() {
  serve_no_more web
  guests_remove_all
  systemctl -q stop firewalld
  rm -f /etc/firewalld/{zones,policies}/containers*
  nft flush ruleset
  router_no_more
}

web_up() {
  guest_up web busybox <<END
$at_once
[Network]
HostAddress=10.9.0.1
LocalAddress=10.9.0.2
HostAddress6=fd09::1
LocalAddress6=fd09::2
Port=8080:80
Port=udp:8080:80
Port=8081:81
END
  serve web
  # what is said to it, it says again
  nsenter -t "$(guest_leader web)" -n "${server[@]}" tcp6-listen:81,fork,reuseaddr exec:cat >/dev/null 2>&1 3>&- &
  echo $! >>"$BATS_FILE_TMPDIR/web.pids"
  poll 30 in_net web grep -q ':0051 .* 0A ' /proc/net/tcp6
}

bridged_up() {
  guest_up bridged busybox <<END
$at_once
[Network]
Bridge=br0
HostAddress=192.168.70.1
LocalAddress=192.168.70.2/24
HostAddress6=fd70::1
LocalAddress6=fd70::2/64
Port=8090:80
END
  nsenter -t "$(guest_leader bridged)" -n "${server[@]}" tcp6-listen:80,fork,reuseaddr "system:$who" >/dev/null 2>&1 3>&- &
  echo $! >>"$BATS_FILE_TMPDIR/web.pids"
  poll 30 in_net bridged grep -q ':0050 .* 0A ' /proc/net/tcp6
}

out_up() {
  guest_up out busybox <<END
$at_once
[Network]
HostAddress=10.9.1.1
LocalAddress=10.9.1.2
HostAddress6=fd09:1::1
LocalAddress6=fd09:1::2
Masquerade=yes
END
}

# The packet filter, ours or that of all others, with the handles: a rule that was made again has another one.
filter() { # ours|theirs
  local family name whose
  nft list tables | while read -r _ family name; do
    whose=theirs
    [[ $name != narthex-* ]] || whose=ours
    [ "$whose" != "$1" ] || nft -s -a list table "$family" "$name" 2>/dev/null
  done
}

same() { # ours|theirs BEFORE
  diff "$2" <(filter "$1")
}

# A container begins, is changed, ends and crashes; what others have in the packet filter is the same at each step.
comes_and_goes() {
  local before=$BATS_TEST_TMPDIR/theirs launcher
  filter theirs >"$before"
  [ -s "$before" ]
  guest_up second busybox <<END
$at_once
[Network]
HostAddress=10.9.2.1
LocalAddress=10.9.2.2
HostAddress6=fd09:2::1
LocalAddress6=fd09:2::2
Masquerade=yes
Port=8070:80
[Service]
Restart=no
END
  nft list table inet narthex-second >/dev/null
  same theirs "$before"
  sed -i 's/8070/8071/' "$conf_dir/second.conf"
  narthex reload second
  equal "$(cat /run/narthex/second/ports)" tcp:8071:80
  same theirs "$before"
  guest_stop second
  none_of_it second
  same theirs "$before"
  guest_start second
  launcher=$(launcher_pid second)
  kill -KILL "$launcher"
  poll 60 none_of_it second
  same theirs "$before"
  guest_remove second
  same theirs "$before"
}

# --- firewalld ---------------------------------------------------------------------------------

# Its name on the bus is there before its rules are.
firewalld_is_up() {
  [ "$(busctl get-property org.fedoraproject.FirewallD1 /org/fedoraproject/FirewallD1 org.fedoraproject.FirewallD1 state)" = 's "RUNNING"' ] &&
    host_refuses
}

firewalld_up() { # [start|restart]
  systemctl "${1:-start}" firewalld
  poll 60 firewalld_is_up
}

# Nobody has let this port pass.
host_answers() {
  [ "$(in_world timeout 30 socat -t20 - tcp:198.51.100.1:7777,connect-timeout=20 </dev/null)" = host ]
}

# By a word, not by silence: a host that is slow is silent, too.
host_refuses() {
  in_world timeout 30 socat -u tcp:198.51.100.1:7777,connect-timeout=20 - 2>&1 | grep -q 'No route to host'
}

host_serves() {
  "${server[@]}" tcp-listen:7777,fork,reuseaddr system:'echo host' >/dev/null 2>&1 3>&- &
  echo $! >>"$BATS_FILE_TMPDIR/web.pids"
  poll 30 host_answers
}

ports_are_there() {
  equal "$(in_world bash -c 'seen tcp:198.51.100.1:8080')" 198.51.100.9
  equal "$(in_world bash -c 'seen tcp6:[fd51::1]:8080')" fd51::9
  equal "$(in_world bash -c 'seen_udp 198.51.100.1 8080')" 198.51.100.9
  equal "$(in_world bash -c 'seen_udp fd51::1 8080')" fd51::9
  equal "$(in_world bash -c 'seen tcp:198.51.100.1:8090')" 198.51.100.9
  equal "$(in_world bash -c 'seen tcp6:[fd51::1]:8090')" fd51::9
  ports_are_there_for_the_host
  equal "$(seen tcp:127.0.0.1:8090)" 192.168.70.1
  equal "$(seen 'tcp6:[::1]:8090')" fd70::1
}

ports_are_there_for_the_host() {
  equal "$(seen tcp:198.51.100.1:8080)" 10.9.0.1
  equal "$(seen tcp:127.0.0.1:8080)" 10.9.0.1
  equal "$(seen 'tcp6:[fd51::1]:8080')" fd09::1
  equal "$(seen 'tcp6:[::1]:8080')" fd09::1
  equal "$(seen_udp 127.0.0.1 8080)" 10.9.0.1
  equal "$(seen_udp ::1 8080)" fd09::1
}

said_again() { # WORD, on the open connection
  local answer
  echo "$1" >&"${talker[1]}"
  read -rt 60 answer <&"${talker[0]}"
  equal "$answer" "$1"
}

@test "firewalld: ports are there for everybody, and neither touches the other's rules, whatever comes and goes" {
  web_up
  bridged_up
  host_serves
  firewalld_up
  ports_are_there
  coproc talker { in_world socat - tcp:198.51.100.1:8081; }
  said_again one
  comes_and_goes
  # all of its own is made again, twice
  filter ours >"$BATS_TEST_TMPDIR/ours"
  filter theirs >"$BATS_TEST_TMPDIR/before"
  firewall-cmd --reload
  not same theirs "$BATS_TEST_TMPDIR/before"
  same ours "$BATS_TEST_TMPDIR/ours"
  ports_are_there
  firewalld_up restart
  same ours "$BATS_TEST_TMPDIR/ours"
  equal "$(in_world bash -c 'seen tcp:198.51.100.1:8080')" 198.51.100.9
  said_again two
  kill "$talker_PID"
}

# As docs/network.md says.
let_containers_out() {
  local commands=$BATS_TEST_TMPDIR/commands
  sed -n 's/^    \(firewall-cmd \)/\1/p' /src/docs/network.md >"$commands"
  equal "$(wc -l <"$commands")" 7
  bash -e "$commands"
}

@test "firewalld: what goes out with Masquerade= does once the administrator has let it, as docs/network.md says" {
  # a second that each of its commands takes is too much to spend twice
  [ "$flavour" = userns ] || return 0
  host_serves
  firewalld_up
  out_up
  equal "$(in_net out bash -c 'unseen tcp:198.51.100.9:80')" ''
  equal "$(in_net out bash -c 'unseen tcp6:[fd51::9]:80')" ''
  let_containers_out
  poll 60 firewalld_is_up
  equal "$(in_net out bash -c 'seen tcp:198.51.100.9:80')" 198.51.100.1
  equal "$(in_net out bash -c 'seen tcp6:[fd51::9]:80')" fd51::1
  # what is the host's own stays closed until the zone has it
  equal "$(in_net out socat - tcp:10.9.1.1:7777,connect-timeout=2 </dev/null)" ''
  firewall-cmd --zone=containers --add-port=7777/tcp
  equal "$(in_net out timeout 60 socat -t50 - tcp:10.9.1.1:7777 </dev/null)" host
}

# --- iptables ----------------------------------------------------------------------------------

# The host is a router between world and "lan": who is in lan goes out with its address, and has its port 9090. Nothing else is
# forwarded, but for what somebody puts into DOCKER-USER, as Docker calls it.
router() {
  local tables
  ip netns add lan
  ip link add lan0 type veth peer name eth0 netns lan
  ip link set lan0 up
  ip addr add 10.77.0.1/24 dev lan0
  ip addr add fd77::1/64 dev lan0 nodad
  ip -n lan link set eth0 up
  ip -n lan addr add 10.77.0.2/24 dev eth0
  ip -n lan addr add fd77::2/64 dev eth0 nodad
  ip -n lan route add default via 10.77.0.1
  ip -n lan route add default via fd77::1
  serve_in lan
  echo 1 | tee /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding >/dev/null
  for tables in iptables ip6tables; do
    $tables -P FORWARD DROP
    $tables -N DOCKER-USER
    $tables -A FORWARD -j DOCKER-USER
    $tables -A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
    $tables -A FORWARD -i lan0 -o uplink -j ACCEPT
    $tables -A FORWARD -i uplink -o lan0 -p tcp --dport 80 -j ACCEPT
    $tables -t nat -A POSTROUTING -o uplink -j MASQUERADE
  done
  iptables -t nat -A PREROUTING -i uplink -p tcp --dport 9090 -j DNAT --to-destination 10.77.0.2:80
  ip6tables -t nat -A PREROUTING -i uplink -p tcp --dport 9090 -j DNAT --to-destination '[fd77::2]:80'
}

router_no_more() {
  [ -e /sys/class/net/lan0 ] || return 0
  serve_no_more lan
  ip netns del lan
  ip link del lan0 2>/dev/null || true
  echo 0 | tee /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding >/dev/null
}

routes() {
  equal "$(ip netns exec lan bash -c 'seen tcp:198.51.100.9:80')" 198.51.100.1
  equal "$(ip netns exec lan bash -c 'seen tcp6:[fd51::9]:80')" fd51::1
  equal "$(in_world bash -c 'seen tcp:198.51.100.1:9090')" 198.51.100.9
  equal "$(in_world bash -c 'seen tcp6:[fd51::1]:9090')" fd51::9
}

@test "iptables: rules of the administrator's do what they did, whatever comes and goes, and have the last word on ports" {
  local tables
  router
  routes
  filter theirs >"$BATS_TEST_TMPDIR/first"
  web_up
  out_up
  same theirs "$BATS_TEST_TMPDIR/first"
  routes
  ports_are_there_for_the_host
  # a policy that drops
  equal "$(in_world bash -c 'unseen tcp:198.51.100.1:8080')" ''
  equal "$(in_net out bash -c 'unseen tcp:198.51.100.9:80')" ''
  for tables in iptables ip6tables; do
    $tables -I DOCKER-USER -o c-web -j ACCEPT
    $tables -I DOCKER-USER -i c-web -j ACCEPT
    $tables -I DOCKER-USER -i c-out -j ACCEPT
  done
  equal "$(in_world bash -c 'seen tcp:198.51.100.1:8080')" 198.51.100.9
  equal "$(in_world bash -c 'seen tcp6:[fd51::1]:8080')" fd51::9
  equal "$(in_world bash -c 'seen_udp 198.51.100.1 8080')" 198.51.100.9
  equal "$(in_net out bash -c 'seen tcp:198.51.100.9:80')" 198.51.100.1
  equal "$(in_net out bash -c 'seen tcp6:[fd51::9]:80')" fd51::1
  comes_and_goes
  routes
}
