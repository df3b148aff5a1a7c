#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Twenty at once.

load lib

teardown() {
  guests_remove_all
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
  timeout $((150 * slow)) systemctl start "${units[@]}"
  for n in "${names[@]}"; do
    equal "$(inside "$n" 'cat /proc/sys/kernel/hostname')" "$n"
    ping -c 1 -W 2 "10.20.${n#many}.2"
  done
  # ranges are all different
  if [ "$flavour" = userns ]; then
    equal "$(for n in "${names[@]}"; do inside "$n" 'cat /proc/self/uid_map'; done | sort -u | wc -l)" 20
  fi
  timeout $((150 * slow)) systemctl stop "${units[@]}"
  for n in "${names[@]}"; do
    none_left "$n"
  done
}
