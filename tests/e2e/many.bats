#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Twenty that boot systemd at once; a hundred small ones in networks of their own.

load lib

teardown() {
  guests_remove_all
  rm -rf --one-file-system "${containers:?}/hundred"
}

@test "20 containers started at once, all answer, all stop, nothing is left" {
  local n names=() units=()
  for n in {1..20}; do
    guest_tree "many$n"
    mkdir -p "$conf_dir"
    cat >"$conf_dir/many$n.conf" <<END
[Exec]
$([ "$flavour" = nouserns ] && echo PrivateUsers=no)
[Network]
HostAddress=10.20.$n.1
LocalAddress=10.20.$n.2
END
    names+=("many$n")
    units+=("container-many$n")
  done
  systemctl daemon-reload
  timeout $((150 * ease)) systemctl start "${units[@]}"
  for n in "${names[@]}"; do
    equal "$(inside "$n" 'cat /proc/sys/kernel/hostname')" "$n"
    ping -c 1 -W 20 "10.20.${n#many}.2"
  done
  # ranges are all different
  if [ "$flavour" = userns ]; then
    equal "$(for n in "${names[@]}"; do inside "$n" 'cat /proc/self/uid_map'; done | sort -u | wc -l)" 20
  fi
  timeout $((150 * ease)) systemctl stop "${units[@]}"
  for n in "${names[@]}"; do
    none_left "$n"
  done
}

# What all of them say, in order.
hundred() { # CMD…: has number n, its last argument, say its name
  local n
  for n in {1..100}; do
    "$@" "$n"
  done
}

say_name() { # ADDRESS:PORT[,OPTION…]
  timeout $((40 * ease)) socat -t30 - "tcp:$1" </dev/null
}

by_address() { # N: it may be on its way still
  say_name "10.21.$1.2:80,retry=300,interval=0.1"
}

by_port() { # N
  say_name "127.0.0.1:$((9000 + $1))"
}

@test "100 containers with networks of their own at once: all answer from the host and through a port each, nothing is left" {
  local n units=() wanted
  guest_tree hundred busybox
  printf '::respawn:/bin/nc -ll -p 80 -e /bin/hostname\n' >>"$containers/hundred/etc/inittab"
  sed -i '/hostname -F/d' "$containers/hundred/etc/inittab"
  mkdir -p "$conf_dir"
  for n in {1..100}; do
    cat >"$conf_dir/h$n.conf" <<END
[Exec]
Ephemeral=yes
$([ "$flavour" = nouserns ] && echo PrivateUsers=no)
[Files]
Root=$containers/hundred
[Network]
HostAddress=10.21.$n.1
LocalAddress=10.21.$n.2
Port=tcp:$((9000 + n)):80
[Service]
# the last one's turn may come late on a busy machine
TimeoutStartSec=300
END
    units+=("container-h$n")
  done
  wanted=$(printf 'h%s\n' {1..100})
  systemctl daemon-reload
  timeout $((150 * ease)) systemctl start "${units[@]}"
  equal "$(hundred by_address)" "$wanted"
  equal "$(hundred by_port)" "$wanted"
  timeout $((150 * ease)) systemctl stop "${units[@]}"
  none_left h
  not grep -q narthex-h <<<"$(nft list tables)"
}
