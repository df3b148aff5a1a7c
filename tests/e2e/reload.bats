#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# narthex reload: what changes in a running container, what waits, what a failure leaves.

load lib

# The configuration as it is at the start of each test, with lines added behind it by stdin.
base='[Network]
HostAddress=10.90.0.1
LocalAddress=10.90.0.2
HostAddress6=fd90::1
LocalAddress6=fd90::2
VirtualEthernetExtra=live1:side
[Link side]
HostAddress=10.90.1.1
LocalAddress=10.90.1.2'

setup_file() {
  export src=/srv/reload
  mkdir -p $src/a $src/b
  echo a >$src/a/file
  echo b >$src/b/file
  guest_up live busybox <<<"$base"
}

teardown_file() {
  guests_remove_all
  rm -rf --one-file-system $src
}

teardown() {
  explain_failure
  # the next test finds it as it was
  if systemctl is-active -q container-live; then
    conf "$base"
    narthex reload live >/dev/null 2>&1 || systemctl restart container-live
  else
    conf "$base"
    systemctl restart container-live
  fi
}

# Another text of the configuration; the flavour's drop-in stays.
conf() { # TEXT
  printf '%s\n' "$1" >"$conf_dir/live.conf"
}

# Reloads, the status must be as wanted; what it said is in $output.
reload() { # STATUS [OPTION]
  run -"$1" timeout $((60 * slow)) narthex reload ${2+"$2"} live
}

has() { # LINE
  grep -qxF -- "$1" <<<"$output" || fail "not said: $1
said: $output"
}

# What of the network may differ after a failure: nothing.
picture() {
  ip -o -d addr show | grep -E '(c-live|live)' | sed 's/ valid_lft.*//'
  ip -d route show table all | grep -E 'dev (c-live|live)' | sort
  inside live 'ip -o addr; ip route; ip -6 route; cat /sys/class/net/*/mtu; cat /proc/self/mountinfo | wc -l' |
    grep -v 'expires\|fe80\|ff00' | sed 's/ valid_lft.*//'
}

@test "nothing has changed" {
  reload 0
  has 'nothing has changed'
}

@test "addresses and routes of both families, and the other link lives on" {
  conf "${base//10.90.0.2/10.90.0.3}"
  reload 0
  has 'applied: [Network] LocalAddress=10.90.0.3 (was 10.90.0.2)'
  ping -c 1 -W 5 10.90.0.3
  ping -c 1 -W 5 10.90.1.2
  equal "$(inside live 'ip -o -4 addr show eth0' | grep -o 'inet [^ ]*')" 'inet 10.90.0.3/32'
  matches "$(inside live 'ip route')" 'default via 10\.90\.0\.1 dev eth0'
  [ -z "$(ip route show 10.90.0.2)" ]
  conf "$(sed 's/fd90::2/fd90::3/; s/10.90.0.1$/10.90.0.9/' <<<"$base")"
  reload 0
  ping -c 1 -W 5 fd90::3
  ping -c 1 -W 5 10.90.0.2
  equal "$(ip -o -4 addr show c-live | grep -o 'inet [^ ]*')" 'inet 10.90.0.9/32'
  matches "$(inside live 'ip route')" 'default via 10\.90\.0\.9 dev eth0'
}

@test "binds: one comes, changes to read-only, and goes; its flags are locked" {
  conf "$base"$'\n[Files]\nBind='$src/a:/mnt/a
  reload 0
  has "applied: [Files] Bind=$src/a:/mnt/a"
  equal "$(inside live 'cat /mnt/a/file')" a
  conf "$base"$'\n[Files]\nBindReadOnly='$src/a:/mnt/a
  reload 0
  has "applied: [Files] BindReadOnly=$src/a:/mnt/a"
  has "applied: [Files] Bind=$src/a:/mnt/a removed"
  equal "$(inside live 'cat /mnt/a/file; echo x 2>/dev/null >/mnt/a/new || echo no')" $'a\nno'
  if [ "$flavour" = userns ]; then
    equal "$(inside live 'mount -o remount,bind,rw /mnt/a 2>/dev/null && echo remounted; (echo x >/mnt/a/new) 2>/dev/null || echo no')" no
  fi
  conf "$base"
  reload 0
  has "applied: [Files] BindReadOnly=$src/a:/mnt/a removed"
  equal "$(inside live 'ls /mnt/a; grep -c /mnt /proc/self/mountinfo')" 0
}
