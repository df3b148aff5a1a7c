#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The keys of systemd.nspawn(5) in [Exec], and the table of all of them.

load lib

teardown_file() {
  guests_remove_all
  rm -rf --one-file-system "${containers:?}/keys" /var/lib/machines/was /etc/systemd/nspawn
}

table=/src/docs/nspawn-keys.md

# KEY of every row
rows() {
  # shellcheck disable=SC2016 # no expansion is meant
  sed -n 's/^| `\([A-Za-z0-9]*\)=` |.*/\1/p' "$table"
}

@test "every key of systemd.nspawn(5) has its row, once" {
  local limit keys=(Boot Ephemeral ProcessTwo Parameters Environment User WorkingDirectory PivotRoot Capability
    DropCapability AmbientCapability NoNewPrivileges KillSignal Personality MachineID PrivateUsers NotifyReady
    SystemCallFilter RestrictAddressFamilies OOMScoreAdjust CPUAffinity Hostname ResolvConf Timezone LinkJournal SuppressSync ReadOnly Volatile
    Bind BindReadOnly BindUser TemporaryFileSystem Inaccessible Overlay OverlayReadOnly PrivateUsersOwnership
    PrivateUsersChown Private VirtualEthernet VirtualEthernetExtra Interface MACVLAN IPVLAN Bridge Zone Port
    NamespacePath)
  for limit in CPU FSIZE DATA STACK CORE RSS NOFILE AS NPROC MEMLOCK LOCKS SIGPENDING MSGQUEUE NICE RTPRIO RTTIME; do
    keys+=("Limit$limit")
  done
  diff <(printf '%s\n' "${keys[@]}" | sort) <(rows | sort)
}

@test "every test that the tables of keys and of NixOS' tests name is there" {
  # "…" stands for the rest of a title
  local file title n=0
  while IFS=$'\t' read -r file title; do
    case $file:$title in
    *' …') grep -qF "@test \"${title% …}" "/src/tests/e2e/$file" || fail "$file has no test \"$title\"" ;;
    *.bats:*) grep -qxF "@test \"$title\" {" "/src/tests/e2e/$file" || fail "$file has no test \"$title\"" ;;
    *) grep -q "^static void $title(" "/src/tests/unit/$file" || fail "$file has no test $title" ;;
    esac
    n=$((n + 1))
  done < <(perl -ne 'while (/`([a-z-]+\.bats)` ((?:"[^"]+"(?:, )?)+)|`(test-[a-z-]+\.c)` ([a-z_0-9]+)/g) {
    if ($3) { print "$3\t$4\n" } else { my $f = $1; print "$f\t$_\n" for $2 =~ /"([^"]+)"/g }
  }' "$table" /src/docs/network.md)
  [ "$n" -ge 20 ] || fail "only $n names were found"
}

# --- commands: a container each, in a second ----------------------------------------------------

setup_file() {
  guest_tree keys
}

# Runs a command in a container of the shared tree; settings come before --.
payload() { # SECTION.KEY=VALUE… -- CMD…
  local sets=()
  while [ "$1" != -- ]; do
    sets+=(--set "$1")
    shift
  done
  shift
  [ "$flavour" = userns ] || sets=(--set Exec.PrivateUsers=no "${sets[@]}")
  timeout $((30 * slow)) /usr/lib/narthex/narthex-launch --foreground --root "$containers/keys" \
    --set Exec.Boot=no "${sets[@]}" -- "$@"
}

# The same without what the launcher says on stderr.
quietly() {
  payload "$@" 2>/dev/null
}

fails_with() { # STATUS WANTED SECTION.KEY=VALUE…
  local wanted=$2
  run "-$1" payload "${@:3}" -- /bin/true
  matches "$output" "$wanted"
}

refused() { # WANTED SECTION.KEY=VALUE…, when it comes to it
  fails_with 125 "$@"
}

misused() { # the same, by the command line alone
  fails_with 2 "$@"
}

@test "User=: ids, groups, home and environment are those of the guest's own files" {
  equal "$(quietly Exec.User=alice -- /bin/sh -c 'id -un; id -G; pwd; echo $HOME $USER $LOGNAME $SHELL')" \
    $'alice\n1000\n/home/alice\n/home/alice alice alice /bin/bash'
  equal "$(quietly Exec.User=1000 Exec.WorkingDirectory=/usr Exec.Environment=HOME=/else -- /bin/sh -c 'id -un; pwd; echo $HOME')" \
    $'alice\n/usr\n/else'
  # a home that isn't there
  equal "$(quietly Exec.User=nobody -- /bin/sh -c 'pwd; echo $HOME')" $'/\n/nonexistent'
  refused "cannot change to WorkingDirectory '/nonexistent'" Exec.User=nobody Exec.WorkingDirectory=/nonexistent
  sed -i 's/^games:.*/&alice/' "$containers/keys/etc/group"
  equal "$(quietly Exec.User=alice -- id -Gn)" 'alice games'
  # nothing of root's is left to it
  equal "$(quietly Exec.User=alice -- sed -n 's/^Cap\(Inh\|Prm\|Eff\|Amb\):\t//p' /proc/self/status | sort -u)" 0000000000000000
  run ! payload Exec.User=alice -- cat /etc/shadow
  # PID 2 under narthex-init, too
  equal "$(quietly Exec.User=alice Exec.ProcessTwo=yes -- /bin/sh -c 'echo $$; id -un')" $'2\nalice'
}

@test "User=: who isn't there is an error; an init is root" {
  refused "/etc/passwd has no User= 'nobodyhere'" Exec.User=nobodyhere
  mv "$containers/keys/etc/passwd" "$containers/keys/etc/passwd.real"
  mkfifo "$containers/keys/etc/passwd"
  refused "cannot look up User= 'alice'" Exec.User=alice
  rm "$containers/keys/etc/passwd"
  mv "$containers/keys/etc/passwd.real" "$containers/keys/etc/passwd"
  misused 'an init must be root' Exec.User=alice Exec.Boot=yes
}

@test "AmbientCapability=: a user's command has it, and only it" {
  local amb='s/^CapAmb:\t//p'
  equal "$(quietly Exec.User=alice Exec.AmbientCapability='CAP_NET_BIND_SERVICE CAP_CHOWN' -- sed -n "$amb" /proc/self/status)" 0000000000000401
  equal "$(quietly Exec.User=alice Exec.AmbientCapability=CAP_CHOWN -- sed -n 's/^CapEff:\t//p' /proc/self/status)" 0000000000000001
  run -0 payload Exec.User=alice Exec.AmbientCapability=CAP_CHOWN Files.TemporaryFileSystem=/mnt -- chown alice /mnt
  run ! payload Exec.User=alice Files.TemporaryFileSystem=/mnt -- chown alice /mnt
  # without CAP_SYS_ADMIN the filter comes last
  equal "$(quietly Exec.User=alice Exec.DropCapability=CAP_SYS_ADMIN Exec.AmbientCapability=CAP_KILL -- sed -n 's/^\(CapEff\|Seccomp\):\t//p' /proc/self/status)" $'0000000000000020\n2'
  misused 'AmbientCapability= has CAP_SYS_TIME, which the container.s bounding set doesn.t' Exec.AmbientCapability=CAP_SYS_TIME
  misused "'all' is not possible" Exec.AmbientCapability=all
}

@test "NoNewPrivileges= and Personality= are in force" {
  equal "$(quietly Exec.NoNewPrivileges=yes -- sed -n 's/^NoNewPrivs:\t//p' /proc/self/status)" 1
  equal "$(quietly Exec.NoNewPrivileges=no -- sed -n 's/^NoNewPrivs:\t//p' /proc/self/status)" 0
  # a setuid program doesn't help
  equal "$(quietly Exec.NoNewPrivileges=yes Exec.User=alice -- /bin/sh -c 'su -c id root </dev/null 2>&1 | grep -c "uid=0"')" 0
  if [ "$(uname -m)" = x86_64 ]; then
    equal "$(quietly Exec.Personality=x86 -- uname -m)" i686
    equal "$(quietly Exec.Personality=x86-64 -- uname -m)" x86_64
  fi
  misused 'Personality=vax: on this machine it is' Exec.Personality=vax
}

# Whether this host's root may go beyond the limits it has; in a container it often may not.
may_raise() {
  (((16#$(sed -n 's/^CapEff:\t//p' /proc/self/status) >> 24) & 1))
}

@test "Limit*=: each of the sixteen is the guest's" {
  local limits nice=0 rtprio=0
  if may_raise; then
    nice=25 rtprio=7
  fi
  limits=$(quietly Exec.LimitCPU=2min Exec.LimitFSIZE=1G:2G Exec.LimitDATA=infinity Exec.LimitSTACK=8M:16M Exec.LimitCORE=0 \
    Exec.LimitRSS=3G Exec.LimitNOFILE=777:888 Exec.LimitAS=4G Exec.LimitNPROC=5000 Exec.LimitMEMLOCK=64K Exec.LimitLOCKS=99 \
    Exec.LimitSIGPENDING=4321 Exec.LimitMSGQUEUE=512K Exec.LimitNICE=$nice Exec.LimitRTPRIO=$rtprio Exec.LimitRTTIME=200ms -- \
    cat /proc/self/limits | sed -n '2,$s/  */ /gp' | sed 's/ \(seconds\|bytes\|processes\|files\|locks\|signals\|us\) *$//; s/ $//')
  equal "$limits" "Max cpu time 120 120
Max file size 1073741824 2147483648
Max data size unlimited unlimited
Max stack size 8388608 16777216
Max core file size 0 0
Max resident set 3221225472 3221225472
Max processes 5000 5000
Max open files 777 888
Max locked memory 65536 65536
Max address space 4294967296 4294967296
Max file locks 99 99
Max pending signals 4321 4321
Max msgqueue size 524288 524288
Max nice priority $nice $nice
Max realtime priority $rtprio $rtprio
Max realtime timeout 200000 200000"
  # one that is hit
  run ! payload Exec.LimitFSIZE=1K -- /bin/sh -c 'head -c 4096 /dev/zero >/dev/shm/big'
  run -0 payload -- /bin/sh -c 'head -c 4096 /dev/zero >/dev/shm/big'
}

@test "Limit*=: one above the launcher's own is given, or an error" {
  raise() {
    ulimit -n 500
    payload Exec.LimitNOFILE=1000 -- /bin/sh -c 'ulimit -n'
  }
  run raise
  if may_raise; then
    matches "$output" '1000$'
  else
    equal "$status" 125
    matches "$output" 'cannot set LimitNOFILE= .it takes CAP_SYS_RESOURCE on the host'
  fi
}

@test "OOMScoreAdjust= and CPUAffinity= are the guest's" {
  local last
  equal "$(quietly Exec.OOMScoreAdjust=300 -- cat /proc/self/oom_score_adj)" 300
  if may_raise; then
    equal "$(quietly Exec.OOMScoreAdjust=-300 -- cat /proc/self/oom_score_adj)" -300
  else
    refused 'cannot set OOMScoreAdjust=-300' Exec.OOMScoreAdjust=-300
  fi
  last=$(sed -n 's/^Cpus_allowed_list:.*[^0-9]\([0-9]*\)$/\1/p' /proc/self/status)
  equal "$(quietly Exec.CPUAffinity="$last" -- sed -n 's/^Cpus_allowed_list:\t//p' /proc/self/status)" "$last"
  equal "$(quietly Exec.CPUAffinity="0, $last" -- sed -n 's/^Cpus_allowed_list:\t//p' /proc/self/status | tr - ,)" "0,$last"
  refused 'the host has none of these processors' Exec.CPUAffinity=1023
}

@test "WorkingDirectory= is where a command starts; one that isn't there is an error" {
  equal "$(quietly Exec.WorkingDirectory=/usr/lib -- pwd)" /usr/lib
  refused "cannot change to WorkingDirectory '/not/there'" Exec.WorkingDirectory=/not/there
}

# --- system calls -------------------------------------------------------------------------------

# io_uring_setup(2), 425 everywhere, with an argument that it refuses: EPERM 1, EFAULT 14
io_uring='syscall(425, 1, 0); print $! + 0'

@test "SystemCallFilter=: calls are allowed and denied, single ones and groups, denied counts more" {
  equal "$(quietly -- perl -e "$io_uring")" 1
  equal "$(quietly Exec.SystemCallFilter=io_uring_setup -- perl -e "$io_uring")" 14
  equal "$(quietly Exec.SystemCallFilter=@known -- perl -e "$io_uring")" 14
  equal "$(quietly Exec.SystemCallFilter=io_uring_setup Exec.SystemCallFilter='~@mount io_uring_setup' -- perl -e "$io_uring")" 1
  equal "$(quietly Exec.SystemCallFilter=io_uring_setup Exec.SystemCallFilter= -- perl -e "$io_uring")" 1
  run -0 payload Exec.SystemCallFilter=@io-event -- mount -t tmpfs x /mnt
  run ! payload Exec.SystemCallFilter='~@mount' -- mount -t tmpfs x /mnt
  run ! payload Exec.SystemCallFilter='~chmod fchmod fchmodat' -- chmod 0600 /tmp
  # what is decided by an argument stays decided: TIOCSTI into its own terminal
  equal "$(quietly Exec.SystemCallFilter=ioctl -- perl -e 'my $c = "x"; ioctl(STDIN, 0x5412, $c); print $! + 0')" 1
  # the capabilities are cut although the filter comes last
  equal "$(quietly Exec.SystemCallFilter='~@swap' Exec.DropCapability=CAP_SYS_ADMIN -- sh -c 'echo $((0x$(sed -n "s/^CapEff:\t//p" /proc/self/status) >> 21 & 1))')" 0
}

@test "SystemCallFilter=: every half of all calls makes a filter that loads" {
  local names
  # the widest there can be: every second call denied
  names=$(grep -o '"[a-z][a-z_0-9]*"' /src/host-tools/seccomp/seccomp-table.c | tr -d '"' | sort -u |
    grep -vE '^(execve|brk|mmap|mprotect|munmap|openat|read|write|close|fstat|newfstatat|exit_group|pread64|arch_prctl|access|rseq|prlimit64|set_tid_address|set_robust_list|getrandom)$' |
    grep -xFf <(systemd-analyze syscall-filter @known | sed -n 's/^    \([a-z_0-9]*\)$/\1/p') | sed -n 'p;n' | xargs)
  run -0 payload Exec.SystemCallFilter="~$names" -- /bin/true
}

@test "SystemCallFilter=: what isn't known, and what no start can do without, is an error" {
  misused 'there is no system call .mout.; did you mean mount' Exec.SystemCallFilter=mout
  misused 'there is no system call group .@mout.; did you mean @mount' Exec.SystemCallFilter=@mout
  refused 'no container starts without it: execve' Exec.SystemCallFilter='~@default'
}

@test "SystemCallFilter=: the groups are systemd's" {
  perl -e '
    open(T, "/src/host-tools/seccomp/seccomp-table.c"); my %known = map { $_ => 1 } join("", <T>) =~ /"([a-z0-9_]+)"/g;
    open(S, "/src/host-tools/seccomp/seccomp-sets.c");
    for (join("", <S>) =~ /name = "(@[a-z-]+)", .members = CALLS\(([^)]*)\)/g) { push @pairs, $_ }
    while (@pairs) { my ($n, $m) = splice(@pairs, 0, 2); print "$n $_\n" for $m =~ /"([^"]+)"/g }
  ' | grep -v '^@sandbox' | sort >"$BATS_TEST_TMPDIR/ours"
  systemd-analyze syscall-filter | perl -e '
    open(T, "/src/host-tools/seccomp/seccomp-table.c"); my %known = map { $_ => 1 } join("", <T>) =~ /"([a-z0-9_]+)"/g;
    while (<STDIN>) {
      if (/^(@\S+)/) { $n = $1 } elsif (/^#/) { $n = undef }
      elsif ($n && $n ne "\@known" && /^    (@?[a-z0-9_-]+)$/) { my $m = $1; print "$n $m\n" if $m =~ /^@/ || $known{$m} }
    }' | grep -v '^@sandbox' | sort >"$BATS_TEST_TMPDIR/theirs"
  [ "$(wc -l <"$BATS_TEST_TMPDIR/ours")" -ge 300 ]
  diff "$BATS_TEST_TMPDIR/ours" "$BATS_TEST_TMPDIR/theirs"
}

@test "RestrictAddressFamilies=: sockets of these families only, or of all others" {
  # which of these can be had, and a pair of sockets always
  local each='use Socket; for ([unix => 1], [inet => 2], [inet6 => 10], [netlink => 16]) {
      print "$$_[0] " if socket(my $s, $$_[1], $$_[1] == 16 ? SOCK_RAW : SOCK_DGRAM, 0) or !$!{EAFNOSUPPORT} }
    print "pair" if socketpair(my $a, my $b, AF_UNIX, SOCK_STREAM, 0)' f=Exec.RestrictAddressFamilies
  equal "$(quietly -- perl -MErrno -e "$each")" 'unix inet inet6 netlink pair'
  equal "$(quietly $f='AF_UNIX AF_INET6' -- perl -MErrno -e "$each")" 'unix inet6 pair'
  equal "$(quietly $f='~AF_INET AF_VSOCK' $f=~AF_NETLINK -- perl -MErrno -e "$each")" 'unix inet6 pair'
  equal "$(quietly $f=none -- perl -MErrno -e "$each")" pair
  equal "$(quietly $f=none $f= -- perl -MErrno -e "$each")" 'unix inet inet6 netlink pair'
  # beside the other filters
  equal "$(quietly $f=AF_UNIX Exec.SuppressSync=yes Exec.SystemCallFilter='~seccomp @swap' -- perl -MErrno -e "$each")" 'unix pair'
  equal "$(quietly $f=AF_UNIX Exec.User=alice Exec.DropCapability=CAP_SYS_ADMIN -- perl -MErrno -e "$each")" 'unix pair'
  misused 'AF_VSOCK is closed in every container' $f='AF_UNIX AF_VSOCK'
  misused 'there is no address family .AF_UNX.; did you mean AF_UNIX' $f=AF_UNX
}

@test "SuppressSync=: nothing is synchronized, and nothing can be opened for it" {
  run ! payload -- sync /dev/null
  run -0 payload Exec.SuppressSync=yes -- sync /dev/null
  run -0 payload -- dd if=/dev/zero of=/tmp/x bs=1 count=1 oflag=sync
  run ! payload Exec.SuppressSync=yes -- dd if=/dev/zero of=/tmp/x bs=1 count=1 oflag=sync
  run ! payload Exec.SuppressSync=yes -- dd if=/dev/zero of=/tmp/x bs=1 count=1 oflag=dsync
  run -0 payload Exec.SuppressSync=yes -- dd if=/dev/zero of=/tmp/x bs=1 count=1
  # with a changed filter, too
  run -0 payload Exec.SuppressSync=yes Exec.SystemCallFilter='~seccomp @swap' -- sync /dev/null
}

# --- what is the host's -------------------------------------------------------------------------

# The host's own time zone for the time of a test: a link, or a file.
host_zone() { # ZONE|file
  rm -f /etc/localtime
  if [ "$1" = file ]; then
    cp /usr/share/zoneinfo/Asia/Tokyo /etc/localtime
  else
    ln -s "../usr/share/zoneinfo/$1" /etc/localtime
  fi
}

@test "Timezone=: /etc/localtime is linked, copied, bound, deleted or left alone" {
  local tree=$containers/keys show='readlink /etc/localtime || true; date +%Z'
  host_zone Asia/Tokyo
  equal "$(quietly Exec.Ephemeral=yes -- sh -c "$show")" $'/usr/share/zoneinfo/Etc/UTC\nUTC'
  equal "$(quietly Exec.Ephemeral=yes Exec.Timezone=auto -- sh -c "$show")" $'../usr/share/zoneinfo/Asia/Tokyo\nJST'
  equal "$(quietly Exec.Ephemeral=yes Exec.Timezone=symlink -- sh -c "$show")" $'../usr/share/zoneinfo/Asia/Tokyo\nJST'
  equal "$(quietly Exec.Ephemeral=yes Exec.Timezone=copy -- sh -c "$show")" JST
  equal "$(quietly Exec.Ephemeral=yes Exec.Timezone=delete -- sh -c "$show")" UTC
  equal "$(quietly Exec.Timezone=bind -- sh -c "$show")" $'/usr/share/zoneinfo/Etc/UTC\nJST'
  equal "$(quietly Files.ReadOnly=yes Exec.Timezone=auto -- sh -c "$show")" $'/usr/share/zoneinfo/Etc/UTC\nJST'
  equal "$(readlink "$tree/etc/localtime")" /usr/share/zoneinfo/Etc/UTC
  host_zone file
  equal "$(quietly Exec.Ephemeral=yes Exec.Timezone=auto -- sh -c "$show")" JST
  # nothing is written through what lies there
  ln -sfn ../../../../../../etc/narthex-canary "$tree/etc/localtime"
  quietly Exec.Timezone=copy -- true
  [ ! -e /etc/narthex-canary ] && [ ! -L "$tree/etc/localtime" ]
  host_zone No/Where
  refused 'the container has no /usr/share/zoneinfo/No/Where' Exec.Timezone=symlink
  misused 'in a tree that is read-only' Exec.Timezone=copy Files.ReadOnly=yes
  ln -sfn /usr/share/zoneinfo/Etc/UTC "$tree/etc/localtime"
  host_zone Etc/UTC
}

@test "LinkJournal=: the journal lies on the host, and nobody gets another's" {
  local id log=/var/log/journal had=
  [ ! -d $log ] || had=yes
  guest_conf keys <<<$'[Exec]\nLinkJournal=host\nMachineID=0123456789abcdef0123456789abcdef\n[Service]\nRestart=no'
  if [ -z "$had" ]; then
    run -1 timeout 60 systemctl start container-keys
    matches "$(log_of keys)" 'the host keeps no journal on disk'
    systemctl reset-failed container-keys
    mkdir $log
  fi
  guest_start keys
  inside keys 'logger from-inside; journalctl --sync 2>&1'
  id=$(inside keys 'cat /etc/machine-id')
  equal "$id" 0123456789abcdef0123456789abcdef
  poll 20 eval "journalctl -q -D $log/$id -o cat | grep -qx from-inside"
  equal "$(stat -c %u "$log/$id")" "$([ "$flavour" = userns ] && stat -c %u "/proc/$(guest_leader keys)" || echo 0)"
  guest_stop keys
  journalctl -q -D "$log/$id" -o cat | grep -qx from-inside
  # an ID that is another's
  if [ "$flavour" = userns ]; then
    chown 1234 "$log/$id"
    run -1 timeout 60 systemctl start container-keys
    matches "$(log_of keys)" "$log/$id belongs to user 1234"
    systemctl reset-failed container-keys
  fi
  cat /etc/machine-id >"$containers/keys/etc/machine-id"
  run -1 timeout 60 systemctl start container-keys
  matches "$(log_of keys)" 'the container has the host.s machine ID'
  systemctl reset-failed container-keys
  rm -rf "${log:?}/$id"
  [ -n "$had" ] || rm -rf $log
  : >"$containers/keys/etc/machine-id"
  rm -rf "$conf_dir/keys.conf" "$conf_dir/keys.conf.d"
  systemctl daemon-reload
}

@test "LinkJournal=: what may be missing is left out, and the container's tree is never linked to" {
  [ -d /var/log/journal ] || equal "$(quietly Exec.Ephemeral=yes Exec.LinkJournal=try-host -- grep -c journal /proc/self/mounts)" 0
  equal "$(quietly Exec.Ephemeral=yes Exec.LinkJournal=auto -- sh -c 'grep -c journal /proc/self/mounts')" 0
  run -0 payload Exec.LinkJournal=try-guest -- true
  misused 'would have the host follow' Exec.LinkJournal=guest
}

@test "credentials of the unit are the container's, for its root alone, and reach its services" {
  printf 'from a file' >/srv/credential
  guest_conf keys <<'CONF'
[Service]
LoadCredential=filed:/srv/credential
SetCredential=said:in the unit
CONF
  guest_start keys
  equal "$(inside keys 'cd /run/host/credentials; stat -c "%n %u %a" . *; cat filed; echo; cat said')" \
    $'. 0 700\nfiled 0 400\nsaid 0 400\nfrom a file\nin the unit'
  equal "$(inside keys 'tr "\0" "\n" </proc/1/environ | grep CREDENTIALS')" CREDENTIALS_DIRECTORY=/run/host/credentials
  # a service manager hands them on
  equal "$(inside keys 'mkdir -p /run/systemd/system; printf "[Service]\nType=oneshot\nLoadCredential=filed\nExecStart=/bin/sh -c \"cat %%d/filed >/run/got\"\n" >/run/systemd/system/takes.service
    systemctl daemon-reload; systemctl start takes; cat /run/got')" 'from a file'
  run inside keys 'runuser -u alice cat /run/host/credentials/filed 2>&1; touch /run/host/credentials/x 2>&1'
  [[ $output != *'from a file'* ]]
  guest_stop keys
  rm -rf /srv/credential "$conf_dir/keys.conf" "$conf_dir/keys.conf.d"
  # one that a caller has in its environment is not the container's
  mkdir -p /run/not-its && echo secret >/run/not-its/x
  equal "$(CREDENTIALS_DIRECTORY=/run/not-its quietly -- sh -c 'ls /run/host/credentials 2>/dev/null; echo "$CREDENTIALS_DIRECTORY"')" ''
  rm -rf /run/not-its
}

# --- .nspawn files ------------------------------------------------------------------------------

@test "narthex run --settings reads the machine's .nspawn file, options come after it" {
  local no_userns=()
  [ "$flavour" = userns ] || no_userns=(--private-users=no)
  mkdir -p /etc/systemd/nspawn
  printf '[Exec]\nHostname=from-file\nEnvironment=ONE=1\nUser=alice\nParameters=/bin/false\n[Files]\nTemporaryFileSystem=/mnt\n' >/etc/systemd/nspawn/keys.nspawn
  equal "$(timeout 30 narthex run --root "$containers/keys" --settings "${no_userns[@]}" -- \
    sh -c 'cat /proc/sys/kernel/hostname; echo $ONE; id -un; stat -f -c %T /mnt' 2>/dev/null)" $'from-file\n1\nalice\ntmpfs'
  equal "$(timeout 30 narthex run --root "$containers/keys" --settings --hostname=given "${no_userns[@]}" -- cat /proc/sys/kernel/hostname 2>/dev/null)" given
  # by the name, and without the file there is nothing to read
  run -125 timeout 30 narthex run --root "$containers/keys" --name other --settings "${no_userns[@]}" -- true
  matches "$output" 'cannot find /etc/systemd/nspawn/other.nspawn'
  printf '[Exec]\nHostnam=x\n' >/etc/systemd/nspawn/keys.nspawn
  run -125 timeout 30 narthex run --root "$containers/keys" --settings "${no_userns[@]}" -- true
  matches "$output" 'keys.nspawn:2: unknown key Hostnam=.*did you mean Hostname='
  chmod 0666 /etc/systemd/nspawn/keys.nspawn
  run -125 timeout 30 narthex run --root "$containers/keys" --settings "${no_userns[@]}" -- true
  matches "$output" 'can be written by everybody'
  rm /etc/systemd/nspawn/keys.nspawn
}

@test "narthex create --from-nspawn: a machine of systemd-nspawn's boots as a container" {
  local tree=/var/lib/machines/was
  mkdir -p /var/lib/machines /etc/systemd/nspawn
  guest_tree was debian $tree
  cat >/etc/systemd/nspawn/was.nspawn <<'CONF'
[Exec]
Boot=yes
Hostname=was-a-machine
LinkJournal=try-guest
[Files]
Bind=/usr:/mnt/a
Bind=
BindReadOnly=/usr/share:/mnt/share
[Network]
VirtualEthernet=yes
CONF
  if [ "$flavour" = userns ]; then
    # as systemd-nspawn -U leaves it
    chown -Rh 800000000:800000000 $tree/etc $tree/var $tree/root $tree/home
    chown 800000000:800000000 $tree
  fi
  run -0 narthex create was --from-nspawn was
  [ "$flavour" = userns ] || printf '[Exec]\nPrivateUsers=no\n' | install -D /dev/stdin "$conf_dir/was.conf.d/flavour.conf"
  systemctl daemon-reload
  guest_start was
  equal "$(narthex exec was -- sh -c 'cat /proc/sys/kernel/hostname; ls /mnt; stat -c %u /etc/passwd; cd /sys/class/net; ls -d host0')" $'was-a-machine\nshare\n0\nhost0'
  [ "$flavour" = nouserns ] || grep -qx PrivateUsersOwnership=off "$conf_dir/was.conf"
  guest_stop was
  run ! narthex create again --from-nspawn not-there
  matches "$output" '--from-nspawn=not-there: cannot use /var/lib/machines/not-there'
  printf '[Files]\nBind=relative\n' >/etc/systemd/nspawn/was.nspawn
  run ! narthex create again --from-nspawn was
  matches "$output" 'was.nspawn:2: Bind=relative: must be an absolute path'
  [ ! -e "$conf_dir/again.conf" ]
  rm -rf "$conf_dir/was.conf" "$conf_dir/was.conf.d" /etc/systemd/nspawn/was.nspawn
  systemctl daemon-reload
  rm -rf --one-file-system $tree
}

# --- what was there before --------------------------------------------------------------------------

@test "Capability=: what it gives beyond the usual is said" {
  local all='Exec.Capability=all'
  run payload Exec.Capability=CAP_BPF -- true
  if [ "$flavour" = userns ]; then
    matches "$output" "Capability= opens system calls to container 'keys' that others don't have: CAP_BPF"
    # no more than the namespace gives: the clock is the host's
    run ! payload "$all" -- date -s @0
    run payload Exec.Capability=CAP_SYS_NICE -- true
    [[ $output != *Capability=* ]]
  else
    matches "$output" 'which has no user namespace, power over the host: CAP_BPF'
    run payload Exec.Capability=CAP_SYS_NICE -- true
    matches "$output" 'power over the host: CAP_SYS_NICE'
  fi
  equal "$(quietly "$all" Exec.DropCapability=all -- sed -n 's/^CapBnd:\t//p' /proc/self/status)" 0000000000000000
}

@test "KillSignal= and NotifyReady= of a command that is a service" {
  guest_conf keys <<'CONF'
[Exec]
Boot=no
NotifyReady=yes
KillSignal=SIGUSR1
Parameters=/usr/bin/perl -e 'use Socket; $SIG{USR1} = sub { print "asked\n"; exit 0 }; sleep 1 until -e "/go"; socket(S, AF_UNIX, SOCK_DGRAM, 0); send(S, "READY=1", 0, pack_sockaddr_un($ENV{NOTIFY_SOCKET})); sleep 1 while 1'
CONF
  systemctl start --no-block container-keys
  poll 20 eval 'narthex list --json | grep -q "\"state\":\"starting\""'
  equal "$(systemctl show -P ActiveState container-keys)" activating
  touch "$containers/keys/go"
  poll 20 eval '[ "$(systemctl show -P ActiveState container-keys)" = active ]'
  guest_stop keys
  log_of keys | grep -qx asked
  rm -rf "$containers/keys/go" "$conf_dir/keys.conf" "$conf_dir/keys.conf.d"
  systemctl daemon-reload
}
