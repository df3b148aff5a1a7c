# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Another machine ("world", a network namespace on a wire to the host's card "uplink"), and who comes to a port.

# shellcheck disable=SC2016 # socat's own variable
who='echo $SOCAT_PEERADDR'
# who serves waits for what is to be said: half a second after a client's end of input, as by default, it may still be starting
server=(socat -t30)

world_up() {
  ip netns add world
  ip link add uplink type veth peer name eth0 netns world
  ip link set uplink up
  ip addr add 198.51.100.1/24 dev uplink
  ip addr add fd51::1/64 dev uplink nodad
  in_world ip link set lo up
  in_world ip link set eth0 up
  in_world ip addr add 198.51.100.9/24 dev eth0
  in_world ip addr add fd51::9/64 dev eth0 nodad
}

# The wire goes with the namespace, but later: the next file has one of the same name.
world_down() {
  ip link del uplink
  ip netns del world
}

in_world() {
  ip netns exec world "$@"
}

in_net() { # NAME CMD…: with the host's tools in the guest's network
  local pid
  pid=$(guest_leader "$1")
  shift
  nsenter -t "$pid" -n "$@"
}

# Port 80, TCP and UDP, tells whoever comes who he is. Processes of ours in its network: they end before it does.
serve() { # NAME
  local pid
  pid=$(guest_leader "$1")
  nsenter -t "$pid" -n "${server[@]}" tcp6-listen:80,fork,reuseaddr "system:$who" >/dev/null 2>&1 3>&- &
  echo $! >"$BATS_FILE_TMPDIR/$1.pids"
  nsenter -t "$pid" -n "${server[@]}" udp6-recvfrom:80,fork,reuseaddr "system:read -r x; $who" >/dev/null 2>&1 3>&- &
  echo $! >>"$BATS_FILE_TMPDIR/$1.pids"
  poll 30 listens "$1"
}

listens() {
  in_net "$1" grep -q ':0050 .* 0A ' /proc/net/tcp6 && in_net "$1" grep -q ':0050 ' /proc/net/udp6
}

serve_no_more() { # NAME
  local pid
  while read -r pid; do
    kill "$pid" || true
  done <"$BATS_FILE_TMPDIR/$1.pids"
}

# The same in a network namespace that has a name, TCP only.
serve_in() { # NETNS
  ip netns exec "$1" "${server[@]}" tcp6-listen:80,fork,reuseaddr "system:$who" >/dev/null 2>&1 3>&- &
  echo $! >"$BATS_FILE_TMPDIR/$1.pids"
  poll 30 ip netns exec "$1" grep -q ':0050 .* 0A ' /proc/net/tcp6
}

# Who the guest thinks we are, in short: "2" for …:2, or nothing.
seen() { # ADDRESS
  socat -t30 - "$1,connect-timeout=${seconds:-30}" </dev/null 2>/dev/null | short
}

# The same where nothing answers, so the wait is a short one.
unseen() { # ADDRESS
  seconds=1 seen "$1"
}

seen_udp() { # HOST PORT
  local line='' i
  exec 7<>"/dev/udp/$1/$2"
  # a datagram may be lost
  for i in {1..10}; do
    echo hello >&7
    line=$(timeout 3 head -n 1 <&7)
    [ -z "$line" ] || break
  done
  short <<<"$line"
  exec 7>&-
}

short() {
  sed -e 's/^\[0000:0000:0000:0000:0000:ffff:\(..\)\(..\):\(..\)\(..\)\]$/0x\1 0x\2 0x\3 0x\4/' -e 's/[][]//g' |
    while read -r a b c d; do
      if [ -n "$d" ]; then echo "$((a)).$((b)).$((c)).$((d))"; else sed -E 's/(:0000)+:0*/::/;s/\b0+//' <<<"$a"; fi
    done
}

export -f seen unseen seen_udp short

none_of_it() { # NAME
  not nft list table inet "narthex-$1" && not grep -q "^$1 " /run/narthex/.borrowed
}
