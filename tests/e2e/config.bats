#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Every error that a user can make in NAME.conf, with its message; what becomes of good and of bad files.

load lib

teardown() {
  guests_remove_all
}

# SECTION | LINE | what the message says (a regular expression)
bad_lines() {
  cat <<'END'
Exec|Boot=maybe|Boot=maybe: must be yes or no
Exec|AutoStart=perhaps|AutoStart=perhaps: must be yes or no
Exec|Ephemeral=2|Ephemeral=2: must be yes or no
Exec|NotifyReady=sometimes|NotifyReady=sometimes: must be yes, no or auto
Exec|Ephemerl=yes|unknown key Ephemerl=.*did you mean Ephemeral=
Exec|Path=relative/path|Path=.*absolute
Exec|Path=/nix/../etc|Path=.*\.\.
Exec|PrivateUsers=0|the range would hold the host's own users
Exec|PrivateUsers=identity|'identity' would make the guest's root the host's root
Exec|PrivateUsers=managed|'managed' is not supported by this version: use pick
Exec|PrivateUsers=many|PrivateUsers=many: must be yes, pick, no, BASE or BASE:COUNT
Exec|Capability=CAP_FLY|there is no capability 'CAP_FLY'
Exec|DropCapability=nonsense|there is no capability 'nonsense': see
Exec|KillSignal=SIGNOTHING|not a signal: write SIGTERM
Exec|MachineID=xyz|MachineID=xyz: must be 32 hexadecimal digits
Exec|Hostname=-bad-|not a host name: labels of letters
Exec|Environment=NOEQUALS|'NOEQUALS' is not VARIABLE=VALUE
Exec|Parameters="unclosed|a quote is not closed
Exec|WorkingDirectory=not/absolute|WorkingDirectory=.*absolute
Exec|User=alice smith|not the name or the number of a user
Exec|LimitNOFILE=2:1|the soft limit is above the hard one
Exec|OOMScoreAdjust=2000|OOMScoreAdjust=2000: must be a number of -1000 to 1000
Exec|CPUAffinity=x|'x' is no processor
Exec|PivotRoot=relative|PivotRoot=.*absolute
Exec|Personality=vax|on this machine it is
Files|Root=relative|Root=.*absolute
Files|Root=/|Root=/ is the host's own tree: it needs Ephemeral=yes
Files|Store=relative|Store=.*absolute
Files|Bind=relative:/mnt|Bind=.*absolute
Files|Bind=/etc:relative|Bind=.*absolute
Files|Bind=/etc:/mnt:wrongoption|there is no option 'wrongoption': rbind
Files|Bind=/etc:/dev|narthex mounts /dev in the container itself
Files|Bind=/etc:/run/host/narthex/x|/run/host/narthex is narthex's own
Files|Bind=/etc:/proc/x|nothing can be mounted inside /proc
Files|Bind=+/etc:/mnt:idmap|the container's owners
Files|BindReadOnly=/a:/b:/c:/d|there is no option '/c:/d'
Files|TemporaryFileSystem=/x:size=big|'big' is no value for size
Files|TemporaryFileSystem=scratch|TemporaryFileSystem=.*absolute
Files|PerContainerNix=si|PerContainerNix=si: must be yes or no
Files|Overlay=/a|at least two paths are needed
Files|Volatile=maybe|must be yes, no, state or overlay
Files|PrivateUsersOwnership=chown|never changes the owners
Files|Inaccessible=etc|Inaccessible=.*absolute
Files|HostAddress=10.0.0.1|HostAddress= does not belong into \[Files\] but into \[Network\]
Network|HostAddress=10.0.0|HostAddress=10.0.0: not an IPv4 address
Network|HostAddress=fd00::1|HostAddress=fd00::1: an IPv6 address
Network|HostAddress6=10.0.0.1|an IPv4 address: this key takes IPv6
Network|HostAddress=10.0.0.1/33|prefix length must be 1 to 32
Network|LocalAddress6=fd00::2/129|prefix length must be 1 to 128
Network|HostAddress=127.0.0.1|is a loopback address
Network|HostAddress=224.0.0.1|is a multicast address
Network|HostAddress=10.0.0.0/24|is the network's own address, not a host's
Network|HostAddress=10.0.0.255/24|is the network's broadcast address
Network|HostAddress6=::|is the unspecified address
Network|HostAddress6=::1|is the loopback address
Network|LocalAddress=10.0.0.2|LocalAddress= without HostAddress=
Network|MACAddress=02:11:22|MACAddress=02:11:22: must be six bytes
Network|MACAddress=01:11:22:33:44:55|a multicast address: the lowest bit
Network|MTU=67|must be a number of bytes, 68 to 65535
Network|VLAN=4095|must be a VLAN's number, 1 to 4094
Network|Zone=a/b|'a/b' is not the name of an interface
Network|Bridge=br/0|'br/0' is not the name of an interface
Network|MACVLAN=a:b:c|MACVLAN=a:b:c: 'b:c' is not the name of an interface
Network|IPVLAN=fourteen-bytes|too long for the interface inside: name it, fourteen-bytes:NAME
Network|Interface=a/b|Interface=a/b: 'a/b' is not the name of an interface
Network|NamespacePath=netns/x|NamespacePath=.*absolute
Network|Naming=dutch|Naming=dutch: must be narthex
Exec|ResolvConf=copy|ResolvConf=copy: must be auto, off, delete, or copy
Exec|ResolvConf=bind-me|ResolvConf=bind-me: must be auto
Network|Port=tcp|Port=tcp: 'tcp' is no IPv4 address
Network|Port=sctp:80|Port=sctp:80: 'sctp' is no IPv4 address
Network|Port=80:|Port=80:: must be \[tcp:\|udp:\]\[ADDRESS\]
Network|Port=0|Port=0: '0' is no port: 1 to 65535
Network|Port=80:65536|Port=80:65536: '65536' is no port
Network|Port=10.0.0.256:80|'10.0.0.256' is no IPv4 address
Network|Port=[fd00::1]80|Port=\[fd00::1\]80: must be
Network|Port=%a/b:80|'a/b' is not the name of an interface
Network|Port=80|Port= without a link to lead it over
Network|Masquerade=maybe|Masquerade=maybe: must be yes or no
Network|Masquerade=yes|Masquerade= without a link
Network|Prvate=yes|unknown key Prvate=.*did you mean Private=
Install|WantedBy=nobody|'nobody' is not the name of a unit
Install|Also=x.service|knows WantedBy=, RequiredBy= and Alias= only
END
}

@test "each bad line is an error with file, line, key and what is wrong" {
  local section line wanted file=$BATS_TEST_TMPDIR/bad.conf n=0 wrong=0
  while IFS='|' read -r section line wanted; do
    printf '# a comment\n\n[%s]\n%s\n' "$section" "$line" >"$file"
    chmod 0644 "$file"
    run narthex check "$file"
    n=$((n + 1))
    if [ "$status" -eq 0 ]; then
      echo "accepted: [$section] $line"
      wrong=$((wrong + 1))
    elif ! [[ $output =~ bad.conf ]] || ! [[ $output =~ $wanted ]]; then
      printf '[%s] %s\n  said:   %s\n  wanted: %s\n' "$section" "$line" "$output" "$wanted"
      wrong=$((wrong + 1))
    elif ! [[ $output =~ bad.conf:4: ]] && ! [[ $wanted =~ Root=/|without ]]; then
      printf '[%s] %s\n  names no line 4: %s\n' "$section" "$line" "$output"
      wrong=$((wrong + 1))
    fi
  done < <(bad_lines)
  [ "$n" -ge 40 ]
  equal "$wrong" 0
}

check_text() { # TEXT
  printf '%s\n' "$1" >"$BATS_TEST_TMPDIR/bad.conf"
  run narthex check "$BATS_TEST_TMPDIR/bad.conf"
}

@test "errors of syntax and of combinations" {
  local text wanted
  check_text 'Boot=yes'
  [ "$status" -ne 0 ]
  matches "$output" 'bad.conf:1:'
  check_text $'[Exec\nBoot=yes'
  matches "$output" 'bad.conf:1:'
  check_text $'[Nonsense]\nBoot=yes'
  matches "$output" 'unknown section \[Nonsense\]'
  check_text $'[Exec]\nno assignment here'
  matches "$output" 'bad.conf:2:'
  check_text $'[Exec]\nBoot=no'
  matches "$output" 'Boot=no needs Parameters='
  check_text $'[Exec]\nBoot=yes\nProcessTwo=yes\nParameters=/bin/true'
  matches "$output" 'exclude each other'
  check_text $'[Exec]\nProcessTwo=yes'
  matches "$output" 'ProcessTwo=yes needs Parameters='
  check_text $'[Exec]\nEphemeral=yes\n[Files]\nVolatile=state'
  matches "$output" 'Ephemeral=yes and Volatile= exclude each other'
  check_text $'[Exec]\nPivotRoot=/x\n[Files]\nVolatile=yes'
  matches "$output" 'an empty root, in which PivotRoot= finds nothing'
  check_text $'[Files]\nNixDaemon=yes\nStore=no'
  matches "$output" "a store that the container doesn't see: set Store="
  check_text $'[Network]\nPrivate=no\nHostAddress=10.0.0.1\nLocalAddress=10.0.0.2'
  matches "$output" 'needs a network of the container.s own'
  check_text $'[Network]\nHostAddress=10.0.0.1\nLocalAddress=10.0.0.1'
  matches "$output" 'the same address'
  check_text $'[Network]\nNamespacePath=/run/netns/x\nInterface=a'
  matches "$output" 'NamespacePath= joins a network that is there already, and an interface'
  check_text $'[Network]\nVirtualEthernet=yes\nInterface=eth0'
  matches "$output" "has an interface 'eth0' already: name another, eth0:NAME"
  check_text $'[Network]\nInterface=a\nMACVLAN=a'
  matches "$output" "the host's interface 'a' is named twice"
  check_text $'[Files]\nBind=/etc:/mnt\nBindReadOnly=/usr:/mnt'
  matches "$output" 'two mounts on /mnt'
  printf '[Exec]\nBoot=yes\0\n' >"$BATS_TEST_TMPDIR/bad.conf"
  run narthex check "$BATS_TEST_TMPDIR/bad.conf"
  [ "$status" -ne 0 ]
  # of many files, too, it is said which one
  touch "$BATS_TEST_TMPDIR/no name.conf"
  run -1 narthex check "$BATS_TEST_TMPDIR/no name.conf"
  matches "$output" "no name.conf: not a container's name"
}

@test "all errors of a file are reported, not only the first" {
  check_text $'[Exec]\nBoot=maybe\n[Network]\nHostAddress=nonsense\n[Files]\nUnknownKey=1'
  matches "$output" 'bad.conf:2:'
  matches "$output" 'bad.conf:4:'
  matches "$output" 'bad.conf:6:'
}

@test "a good file passes check, and an .nspawn file works as it is" {
  cat >"$BATS_TEST_TMPDIR/good.conf" <<'END'
# all of it
[Exec]
Boot=yes
Environment=A=b "C=d e"
Hostname=good
PrivateUsers=pick
[Files]
Bind=/usr:/mnt/usr:rbind
TemporaryFileSystem=/scratch:size=10M,mode=0700
[Network]
Private=yes
VirtualEthernet=yes
END
  run narthex check "$BATS_TEST_TMPDIR/good.conf"
  equal "$status" 0
  equal "$output" ''
}

@test "a bad file disables its container, says why, and no other" {
  guest_tree good
  guest_conf good </dev/null
  guest_conf bad <<<$'[Network]\nHostAddres=10.0.0.1'
  run timeout 60 systemctl start container-bad
  [ "$status" -ne 0 ]
  matches "$(log_of bad -b)" 'bad.conf:2: unknown key HostAddres=.*did you mean HostAddress='
  guest_start good
  equal "$(inside good 'echo alive')" alive
}

@test "names that are no names make no unit" {
  local name
  mkdir -p "$conf_dir"
  for name in -dash .hidden 'with space' "$(printf 'n%.0s' {1..64})"; do
    touch -- "$conf_dir/$name.conf"
  done
  touch "$conf_dir/storage.conf"
  systemctl daemon-reload
  run ls /run/systemd/generator
  [[ $output != *dash* && $output != *hidden* && $output != *space* && $output != *nnnnnnnn* ]]
  run timeout 20 systemctl start container-storage
  [ "$status" -ne 0 ]
  rm -f -- "$conf_dir"/*.conf
}

@test "a file that others can write is not read" {
  guest_tree open
  guest_conf open </dev/null
  chmod 0666 "$conf_dir/open.conf"
  systemctl daemon-reload
  run timeout 60 systemctl start container-open
  [ "$status" -ne 0 ]
  matches "$(log_of open -b)" 'can be written by'
  chmod 0644 "$conf_dir/open.conf"
  chown alice "$conf_dir/open.conf" 2>/dev/null || chown nobody "$conf_dir/open.conf"
  systemctl daemon-reload
  run timeout 60 systemctl start container-open
  [ "$status" -ne 0 ]
  matches "$(log_of open -b)" 'does not belong to root'
}

@test "a file where guests can write is not read" {
  local dir
  mkdir "$containers/reach"
  for dir in "$containers/reach" "$containers" /run/narthex; do
    mkdir -p "$dir"
    printf '[Exec]\nBoot=yes\n' >"$dir/reach.conf"
    # nor through a link
    ln -sf "$dir/reach.conf" "$BATS_TEST_TMPDIR/linked.conf"
    run narthex check "$dir/reach.conf"
    [ "$status" -ne 0 ]
    matches "$output" "reach.conf is not read: it lies in (/var/lib/containers|/run/narthex), where guests can write"
    run narthex check "$BATS_TEST_TMPDIR/linked.conf"
    [ "$status" -ne 0 ]
    matches "$output" 'where guests can write'
    rm "$dir/reach.conf"
  done
  rmdir "$containers/reach"
}

@test "[Unit], [Service] and [Install] reach the unit; drop-ins count" {
  guest_tree pass
  guest_conf pass <<'END'
[Unit]
Description=a guest of ours
[Service]
MemoryMax=300M
TimeoutStopSec=11
[Install]
WantedBy=special.target
END
  printf '[Service]\nTimeoutStopSec=12\n' >"$conf_dir/pass.conf.d/90-later.conf"
  systemctl daemon-reload
  equal "$(systemctl show -P Description container-pass)" 'a guest of ours'
  equal "$(systemctl show -P MemoryMax container-pass)" 314572800
  equal "$(systemctl show -P TimeoutStopUSec container-pass)" 12s
  [ -L /run/systemd/generator/special.target.wants/container-pass.service ]
  equal "$(systemctl show -P Delegate container-pass)" yes
  equal "$(systemctl show -P Slice container-pass)" machine.slice
  equal "$(systemctl show -P DevicePolicy container-pass)" closed
  equal "$(systemctl show -P KillMode container-pass)" mixed
  equal "$(systemctl show -P Type container-pass)" notify
}

@test "what [Exec] says is so in the guest" {
  guest_up exec <<'END'
[Exec]
Hostname=other-name
MachineID=0123456789abcdef0123456789abcdef
Environment=ONE=1 "TWO=2 and a bit"
Capability=CAP_SYSLOG
DropCapability=CAP_AUDIT_WRITE
END
  equal "$(inside exec 'cat /proc/sys/kernel/hostname')" other-name
  equal "$(inside exec 'tr "\0" "\n" </proc/1/environ | grep -E "^(ONE|TWO)=" | sort')" $'ONE=1\nTWO=2 and a bit'
  equal "$(inside exec 'tr "\0" "\n" </proc/1/environ | grep container_uuid= | tr -d -')" container_uuid=0123456789abcdef0123456789abcdef
  local caps
  caps=$((16#$(inside exec 'sed -n "s/^CapBnd:\t//p" /proc/1/status')))
  equal "$((caps >> 34 & 1))" 1
  equal "$((caps >> 29 & 1))" 0
}

@test "every generated unit verifies" {
  guest_conf one </dev/null
  guest_conf two <<<$'[Exec]\nAutoStart=yes\n[Network]\nHostAddress=10.1.0.1\nLocalAddress=10.1.0.2'
  run systemd-analyze --man=no verify /run/systemd/generator/container-one.service /run/systemd/generator/container-two.service
  equal "$status" 0
  equal "$output" ''
}

@test "a mistake in the file of a container that runs takes nothing away from it" {
  local before
  properties() {
    systemctl show -p Type,KillMode,Delegate,DevicePolicy,DeviceAllow,TasksMax,MemoryMax,Restart,Slice,ExecStopPost container-slip |
      sed 's/ ; start_time=.*//'
  }
  printf '[Service]\nMemoryMax=1G\n' | guest_up slip busybox
  before=$(properties)
  matches "$before" 'MemoryMax=1073741824'
  matches "$before" 'DevicePolicy=closed'
  printf '[Exec]\nBot=yes\n' >>"$conf_dir/slip.conf"
  systemctl daemon-reload
  equal "$(properties)" "$before"
  equal "$(inside slip 'echo here')" here
  # its end is in order
  systemctl stop container-slip
  equal "$(systemctl show -P Result container-slip)" success
  # and its start says why not, once
  run -125 narthex start slip
  matches "$output" "slip.conf:[0-9]+: unknown key Bot="
  equal "$(systemctl show -P NRestarts container-slip)" 0
  sed -i '/Bot=/d' "$conf_dir/slip.conf"
  narthex start slip
  guest_remove slip
}
