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
  mkdir -p $src/a $src/b/inner $src/deep
  echo a >$src/a/file
  echo b >$src/b/file
  echo deep >$src/deep/file
  # whoever is root inside is nobody on the host
  chmod 0755 $src $src/*
  for bridge in relo0 relo1; do
    ip link add $bridge type bridge
    ip link set $bridge up
  done
  ip addr add 10.91.0.1/24 dev relo0
  ip addr add 10.92.0.1/24 dev relo1
  guest_up live busybox <<<"$base"
}

teardown_file() {
  guests_remove_all
  ip link del relo0
  ip link del relo1
  rm -rf --one-file-system $src
}

# The next test finds it as it was.
teardown() {
  explain_failure
  conf "$base"
  narthex reload live >/dev/null 2>&1 && systemctl is-active -q container-live ||
    systemctl restart container-live
}

# Another text of the configuration; the flavour's drop-in stays.
conf() { # TEXT
  printf '%s\n' "$1" >"$conf_dir/live.conf"
}

# Reloads, the status must be as wanted; what it said is in $output.
reload() { # STATUS [OPTION]
  run -"$1" timeout $((60 * ease)) narthex reload ${2+"$2"} live
}

has() { # LINE
  grep -qxF -- "$1" <<<"$output" || fail "not said: $1
said: $output"
}

has_not() { # TEXT
  ! grep -F -- "$1" <<<"$output"
}

# All that a reload can change. What the kernel adds and drops by itself is left out.
picture() {
  ip -o addr show | grep -E ' (c-live|live[0-9])' | grep -v fe80 | sed 's/ valid_lft.*//'
  ip route show table all | grep -E ' dev (c-live|live[0-9])' | grep -v 'fe80\|expires' | sort
  ip -o link show | grep -E ' (c-live|live[0-9])' | grep -o 'mtu [0-9]*\|master [^ ]*'
  inside live 'ip -o addr | grep -v fe80; ip route; ip -6 route | grep -v "fe80\|ff00\|expires"
    cat /sys/class/net/eth0/mtu /sys/class/net/eth0/address; cut -d" " -f3- /proc/self/mountinfo' |
    sed 's/ valid_lft.*//; s/ shared:[0-9]*//'
}

# The container is as it was before a reload that fails: FUNCTION says what it must have said.
keeps_its_state() { # TEXT PATTERN
  local before
  before=$(picture)
  conf "$1"
  reload 125
  matches "$output" "$2"
  matches "$output" "container 'live' is as it was"
  equal "$(picture)" "$before"
}

@test "nothing has changed" {
  reload 0
  has 'nothing has changed'
}

@test "addresses and routes of both families, and the other link lives on" {
  conf "${base//10.90.0.2/10.90.0.3}"
  reload 0
  has 'applied: [Network] LocalAddress=10.90.0.3 (was 10.90.0.2)'
  ping -c 1 -W 20 10.90.0.3
  ping -c 1 -W 20 10.90.1.2
  equal "$(inside live 'ip -o -4 addr show eth0' | grep -o 'inet [^ ]*')" 'inet 10.90.0.3/32'
  matches "$(inside live 'ip route')" 'default via 10\.90\.0\.1 dev eth0'
  [ -z "$(ip route show 10.90.0.2)" ]
  conf "$(sed 's/fd90::2/fd90::3/; s/10.90.0.1$/10.90.0.9/' <<<"$base")"
  reload 0
  ping -c 1 -W 20 fd90::3
  ping -c 1 -W 20 10.90.0.2
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

@test "--dry-run says it and does nothing" {
  local before
  before=$(picture)
  conf "${base/10.90.0.2/10.90.0.3}"$'\n[Files]\nBind='$src/a:/mnt/a
  reload 0 --dry-run
  has 'would be applied: [Network] LocalAddress=10.90.0.3 (was 10.90.0.2)'
  has "would be applied: [Files] Bind=$src/a:/mnt/a"
  equal "$(picture)" "$before"
}

@test "links: one comes, one goes, one becomes another" {
  conf "$(sed 's/live1:side/live2:new/; s/Link side/Link new/; s/10.90.1/10.90.2/' <<<"$base")"
  reload 0
  has 'applied: [Network] VirtualEthernetExtra=live2:new (was live1:side)'
  ping -c 1 -W 20 10.90.2.2
  [ ! -e /sys/class/net/live1 ]
  equal "$(inside live 'cd /sys/class/net && echo *')" 'eth0 lo new'
  # the same name inside, another end on the host
  conf "${base/live1:side/live3:side}"
  reload 0
  ping -c 1 -W 20 10.90.1.2
  equal "$(ip -br link | grep -o '^live[0-9]')" live3
}

@test "MTU and hardware address change in place" {
  local index
  # the host knows whom it asked for, and would go on sending there
  ping -c 1 -W 20 10.90.0.2
  conf "${base/VirtualEthernetExtra/MTU=1400$'\n'MACAddress=02:00:00:00:90:02$'\n'VirtualEthernetExtra}"
  index=$(cat /sys/class/net/c-live/ifindex)
  reload 0
  has 'applied: [Network] MTU=1400'
  equal "$(inside live 'cat /sys/class/net/eth0/mtu /sys/class/net/eth0/address')" $'1400\n02:00:00:00:90:02'
  equal "$(cat /sys/class/net/c-live/mtu)" 1400
  ping -c 1 -W 20 fd90::2
  ping -c 1 -W 20 10.90.0.2
  conf "$base"
  reload 0
  has 'applied: [Network] MTU=1400 removed'
  equal "$(inside live 'cat /sys/class/net/eth0/mtu')" 1500
  ping -c 1 -W 20 fd90::2
  ping -c 1 -W 20 10.90.0.2
  equal "$(cat /sys/class/net/c-live/ifindex)" "$index"
}

@test "a link goes from its addresses to a bridge, to another bridge, and back" {
  local bridged
  bridged=$(sed '/^HostAddress=10.90.1/d; s/10.90.1.2/10.91.0.2\/24/; $aBridge=relo0' <<<"$base")
  conf "$bridged"
  reload 0
  ping -c 1 -W 20 10.91.0.2
  equal "$(ip -o -4 addr show live1)" ''
  conf "$(sed 's/10.91/10.92/; s/relo0/relo1/' <<<"$bridged")"
  reload 0
  has 'applied: [Link side] Bridge=relo1 (was relo0)'
  ping -c 1 -W 20 10.92.0.2
  matches "$(ip -o link show live1)" 'master relo1 '
  conf "$base"
  reload 0
  has 'applied: [Link side] Bridge=relo1 removed'
  ping -c 1 -W 20 10.90.1.2
  not grep -q master <<<"$(ip -o link show live1)"
}

@test "a TCP connection through the container lives on" {
  local echo_server=$BATS_TEST_TMPDIR/echo
  inside live 'setsid nc -l -p 7000 -e cat </dev/null >/dev/null 2>&1 & for i in $(seq 400); do grep -q :1B58 /proc/net/tcp* && break; usleep 50000; done'
  mkfifo "$echo_server"
  socat - tcp:10.90.1.2:7000 <"$echo_server" >"$echo_server.out" 3>&- &
  exec 8>"$echo_server"
  echo before >&8
  poll 30 grep -q before "$echo_server.out"
  conf "$(sed 's/10.90.0/10.93.0/' <<<"$base")"$'\nMTU=1400\n[Files]\nBind='$src/a:/mnt/a
  reload 0
  has 'applied: [Network] LocalAddress=10.93.0.2 (was 10.90.0.2)'
  has 'applied: [Link side] MTU=1400'
  echo after >&8
  poll 30 grep -q after "$echo_server.out"
  exec 8>&-
}

@test "binds of which one is in the other, and one with the container's owners" {
  local idmap=:idmap
  [ "$flavour" = userns ] || idmap=
  chown 0:0 $src/deep/file
  conf "$base"$'\n[Files]\nBind='$src/deep:/mnt/b/inner$idmap
  reload 0
  conf "$base"$'\n[Files]\nBind='$src/deep:/mnt/b/inner$idmap$'\nBind='$src/b:/mnt/b
  reload 0
  equal "$(inside live 'cat /mnt/b/file /mnt/b/inner/file; stat -c %u /mnt/b/inner/file')" $'b\ndeep\n0'
  conf "$base"$'\n[Files]\nBind='$src/deep:/mnt/b/inner$idmap
  reload 0
  has "applied: [Files] Bind=$src/b:/mnt/b removed"
  equal "$(inside live 'cat /mnt/b/file /mnt/b/inner/file 2>/dev/null')" deep
}

@test "exactly the bind is unmounted, whatever the guest has done to its place" {
  conf "$base"$'\n[Files]\nBind='$src/a:/mnt/a$'\nBind='$src/b:/mnt/b
  reload 0
  # one is covered, the other is moved away, and something of the guest's is in its place
  inside live 'mount -t tmpfs over /mnt/a; mkdir -p /mnt/moved /mnt/top
    mount --make-private / 2>/dev/null; mount --move /mnt/b /mnt/moved 2>/dev/null; mount -t tmpfs mine /mnt/b; echo mine >/mnt/b/mine'
  conf "$base"
  reload 0
  equal "$(inside live "grep -c $src /proc/self/mountinfo; cat /mnt/b/mine")" $'0\nmine'
  inside live 'umount /mnt/b; mount --make-shared /'
}

@test "a guest that has unmounted a bind is no obstacle" {
  conf "$base"$'\n[Files]\nBind='$src/a:/mnt/a
  reload 0
  inside live 'umount -l /mnt/a'
  conf "$base"
  reload 0
  has "applied: [Files] Bind=$src/a:/mnt/a removed"
}

@test "a file that is wrong: the line is named, the state is kept" {
  keeps_its_state "${base/LocalAddress=10.90.0.2/LocalAdress=10.90.0.3}" \
    "live.conf:3: unknown key LocalAdress= in \[Network\]; did you mean LocalAddress="
}

@test "a bind whose source is missing, together with an address: nothing changes" {
  keeps_its_state "${base/10.90.0.2/10.90.0.3}"$'\n[Files]\nBind=/not/there:/mnt/a' \
    "cannot bind '/not/there' to '/mnt/a'"
}

@test "a bind whose source may be missing, and is: when it has to be there, it is mounted" {
  local with=$base$'\n[Files]\nBind='
  conf "$with-$src/late:/mnt/late"
  reload 0
  keeps_its_state "$with$src/late:/mnt/late" "cannot bind '$src/late' to '/mnt/late'"
  mkdir -m 0755 $src/late
  echo late >$src/late/file
  conf "$with$src/late:/mnt/late"
  reload 0
  has "applied: [Files] Bind=$src/late:/mnt/late (was -$src/late:/mnt/late)"
  equal "$(inside live 'cat /mnt/late/file')" late
  # one that is there stays
  conf "$with-$src/late:/mnt/late"
  reload 0
  equal "$(inside live 'cat /mnt/late/file; grep -c /mnt/late /proc/self/mountinfo')" $'late\n1'
}

@test "a link that can't be made, after others were changed: they are changed back" {
  keeps_its_state "$(sed 's/10.90.0.2/10.90.0.3/; s/live1:side/live1:side live4:more/' <<<"$base")"$'\nMTU=1400\n[Link more]\nBridge=nobridge' \
    "there is no bridge 'nobridge'"
}

@test "a target that the guest has made a link, after the network was changed: all is undone" {
  inside live 'mkdir -p /mnt; ln -sfn /etc /mnt/evil'
  keeps_its_state "${base/10.90.0.2/10.90.0.3}"$'\n[Files]\nBind='$src/b:/mnt/b$'\nBind='$src/a:/mnt/evil/x \
    "'/mnt/evil/x' in the container's root is a symbolic link, or below one"
  ping -c 1 -W 20 10.90.0.2
  # and with a bind that had to go first, which is there again and can still be taken away
  conf "$base"$'\n[Files]\nBind='$src/b:/mnt/b
  reload 0
  keeps_its_state "$base"$'\n[Files]\nBind='$src/a:/mnt/evil/x "symbolic link"
  equal "$(inside live 'cat /mnt/b/file; ls /etc/x 2>/dev/null')" b
  # one that could be made is taken back, wherever in the file it stands
  keeps_its_state "$base"$'\n[Files]\nBind='$src/a:/mnt/evil/x$'\nBind='$src/b:/mnt/b$'\nBind='$src/deep:/mnt/deep "symbolic link"
  has_not 'cannot unmount'
  conf "$base"
  reload 0
  equal "$(inside live "grep -c $src /proc/self/mountinfo; rm /mnt/evil")" 0
}

@test "a guest that exchanges the target for a link all the time never gets a bind elsewhere" {
  local i count
  inside live 'mkdir -p /mnt/race/t /mnt/elsewhere
    cat >/tmp/race <<"END"
cd /mnt/race && while [ -e /tmp/race ]; do mv t s; ln -s /mnt/elsewhere t; rm t; mv s t; done
END
    setsid sh /tmp/race </dev/null >/dev/null 2>&1 &'
  for i in $(seq 12); do
    conf "$base"$'\n[Files]\nBind='$src/a:/mnt/race/t/in
    timeout 60 narthex reload live >/dev/null 2>&1 || true
    equal "$(inside live "grep -c 'mnt/elsewhere' /proc/self/mountinfo")" 0
    conf "$base"
    reload 0
  done
  inside live 'rm /tmp/race; ls -R /mnt/elsewhere' >"$BATS_TEST_TMPDIR/out"
  not grep -q file "$BATS_TEST_TMPDIR/out"
  equal "$(inside live "grep -c $src /proc/self/mountinfo")" 0
  equal "$(ls $src/a)" file
}

@test "the host name changes, and changes back with what fails" {
  conf "$base"$'\n[Exec]\nHostname=other'
  reload 0
  has 'applied: [Exec] Hostname=other'
  equal "$(inside live hostname)" other
  inside live 'mkdir -p /mnt; ln -sfn /etc /mnt/evil'
  conf "$base"$'\n[Exec]\nHostname=third\n[Files]\nBind='$src/a:/mnt/evil/x
  reload 125
  equal "$(inside live 'hostname; rm /mnt/evil')" other
  conf "$base"
  reload 0
  has 'applied: [Exec] Hostname=other removed'
  equal "$(inside live hostname)" live
  [ "$(hostname)" != live ]
}

@test "what needs a restart is said, and said again until then" {
  conf "$base"$'\n[Exec]\nOOMScoreAdjust=7\nEnvironment=A=1\nKillSignal=SIGUSR2\nResolvConf=copy-host\n[Files]\nBind=/dev/zero:/dev/other
TemporaryFileSystem=/mnt/memory\nInaccessible=/etc/shadow\nOverlay=+/etc::/mnt/layers\n[Service]\nLimitNOFILE=4096'
  reload 0
  has 'needs a restart: [Exec] OOMScoreAdjust=7'
  has 'needs a restart: [Exec] Environment=A=1'
  has 'needs a restart: [Files] Bind=/dev/zero:/dev/other'
  has 'needs a restart: [Exec] ResolvConf=copy-host'
  has 'needs a restart: [Files] TemporaryFileSystem=/mnt/memory'
  has 'needs a restart: [Files] Inaccessible=/etc/shadow'
  has 'needs a restart: [Files] Overlay=+/etc::/mnt/layers'
  has 'needs a restart: [Service] LimitNOFILE=4096'
  has 'applied: [Exec] KillSignal=SIGUSR2'
  reload 0
  has 'needs a restart: [Exec] OOMScoreAdjust=7'
  has_not KillSignal
  equal "$(inside live 'tr "\0" "\n" </proc/1/environ | grep -c ^A=')" 0
}

@test "limits are systemd's, and systemctl reload is the same" {
  conf "$base"$'\n[Service]\nMemoryMax=512M'
  reload 0
  has 'applied: [Service] MemoryMax=512M'
  equal "$(systemctl show -P MemoryMax container-live)" 536870912
  equal "$(systemctl show -P NeedDaemonReload container-live)" no
  conf "${base/10.90.0.2/10.90.0.3}"$'\n[Service]\nMemoryMax=256M'
  systemctl reload container-live
  ping -c 1 -W 20 10.90.0.3
  equal "$(systemctl show -P MemoryMax container-live)" 268435456
  equal "$(systemctl show -P ActiveState container-live)" active
  matches "$(systemctl show -P StatusText container-live)" '^Running, leader PID'
  # in a drop-in, which is no file that systemd knows of: new, changed, removed
  printf '[Service]\nMemoryMax=384M\n' >$conf_dir/live.conf.d/limit.conf
  reload 0
  has 'applied: [Service] MemoryMax=384M'
  equal "$(systemctl show -P MemoryMax container-live)" 402653184
  printf '[Service]\nMemoryMax=320M\n' >$conf_dir/live.conf.d/limit.conf
  systemctl reload container-live
  equal "$(systemctl show -P MemoryMax container-live)" 335544320
  rm $conf_dir/live.conf.d/limit.conf
  reload 0
  equal "$(systemctl show -P MemoryMax container-live)" 268435456
  conf "${base/HostAddress=10.90.0.1/HostAddress=nonsense}"
  run -1 systemctl reload container-live
  equal "$(systemctl show -P ActiveState container-live)" active
  ping -c 1 -W 20 10.90.0.3
}

@test "what was applied is there after a reboot of the guest, and nothing is left at the end" {
  local old
  conf "$(sed 's/10.90.0.2/10.90.0.3/; s/live1:side/live2:side/' <<<"$base")"$'\n[Files]\nBind='$src/a:/mnt/a
  reload 0
  timeout $((60 * ease)) narthex reboot live
  ping -c 1 -W 20 10.90.0.3
  ping -c 1 -W 20 10.90.1.2
  equal "$(inside live 'cat /mnt/a/file')" a
  equal "$(ip -br link | grep -o '^live[0-9]')" live2
  # its binds can be taken away as those of the first boot
  conf "$base"
  reload 0
  equal "$(inside live "grep -c $src /proc/self/mountinfo")" 0
  conf "$base"$'\n[Files]\nBind='$src/a:/mnt/a
  reload 0
  guest_stop live
  none_left live
  [ ! -e /sys/class/net/live1 ]
  # nor after a crash
  guest_start live
  conf "$(sed 's/live1:side/live2:side/' <<<"$base")"
  reload 0
  old=$(launcher_pid live)
  kill -9 "$old"
  poll 60 restarted live "$old"
  ping -c 1 -W 20 10.90.1.2
  equal "$(ip -br link | grep -o '^live[0-9]')" live2
}

@test "a container of another file, which names it" {
  local file=$BATS_TEST_TMPDIR/aside.conf more='' leader
  [ "$flavour" = userns ] || more=PrivateUsers=no
  printf '[Exec]\n%s\nHostname=first\nEphemeral=yes\n[Files]\nRoot=%s\n' "$more" "$containers/.templates/busybox" >"$file"
  run -2 /usr/lib/narthex/narthex-launch --config "$BATS_TEST_TMPDIR/aside"
  timeout $((60 * ease)) /usr/lib/narthex/narthex-launch --foreground --config "$file" </dev/null >/dev/null 2>&1 3>&- &
  is_up() { narthex status --json aside | grep -q '"state":"running"'; }
  poll 30 is_up
  sed -i s/first/second/ "$file"
  run -0 narthex reload aside
  matches "$output" 'applied: \[Exec\] Hostname=second'
  leader=$(narthex status --json aside | sed -n 's/.*"leader":\([0-9]*\).*/\1/p')
  equal "$(nsenter --target "$leader" --uts hostname)" second
  narthex stop aside
}

@test "who can't be reloaded" {
  run -125 narthex reload nobody
  matches "$output" "no container 'nobody'|'nobody'"
  run -125 setpriv --reuid=65534 --regid=65534 --clear-groups narthex reload live
  matches "$output" 'no permission for container .live.: become root'
  guest_stop live
  reload 125
  matches "$output" "container 'live' is not running"
  guest_start live
  timeout $((60 * ease)) narthex run --name live2 --root "$containers/.templates/busybox" --ephemeral </dev/null >/dev/null 2>&1 3>&- &
  poll 30 test -S /run/narthex/live2/launcher.socket
  asks_in_vain() { narthex reload live2 2>&1 | grep -q 'was started with options, not from a file'; }
  poll 30 asks_in_vain
  narthex stop live2
}
