#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What the root of a guest does to those who come in, to its host's terminals and programs, and to the guest next door.

load lib

peer=/usr/local/bin/peer
doors=/run/narthex/mean/doors

setup_file() {
  local name
  for name in mean next; do
    guest_tree $name
    cp /build/tests/peer "$containers/$name$peer"
    guest_conf $name <<'END'
[Network]
Private=yes
END
    guest_start $name
    poll 30 narthex exec $name -- true
  done
  # for commands without an init
  guest_tree mean-run busybox
}

setup() {
  since=$(date +%s)
}

teardown_file() {
  guests_remove_all
  rm -rf --one-file-system "$containers/mean-run"
}

userns() {
  [ "$flavour" = userns ]
}

# --- the reverse handle ---------------------------------------------------------------------------------

# The guest's own program in place of its door, as its root would do it. $trap is where it reports, in the guest.
trap_set() { # DOOR TYPE
  trap=/root/trap-$1
  narthex exec --detach mean -- systemd-run --quiet --collect --unit="trap-$1" --property=StandardOutput="file:$trap.out" \
    $peer trap "/run/host/narthex/doors/new-$1" "$2" $trap
  poll 20 grep -q ready "$containers/mean$trap.out"
  mv -T "$doors/$1.socket" "$doors/$1.was"
  mv -T "$doors/new-$1" "$doors/$1.socket"
}

trap_remove() { # DOOR
  mv -T "$doors/$1.was" "$doors/$1.socket"
  narthex exec mean -- systemctl stop "trap-$1"
}

@test "a handle on whoever knocks opens nothing: no descriptor, no namespace, no signal" {
  local i report
  trap_set exec seqpacket
  for ((i = 0; i < 200; i++)); do
    run timeout $((30 * ease)) narthex exec mean -- true
    # not killed, not waiting: refused by a guest that hangs up
    equal "$status" 125
  done
  run timeout $((30 * ease)) narthex shell mean </dev/null
  equal "$status" 125
  trap_remove exec
  report=$(cat "$containers/mean/root/trap-exec")
  sort <<<"$report" | uniq -c | sort -n
  [ "$(wc -l <<<"$report")" -ge 201 ]
  equal "$(grep -c '=YES.*=YES' <<<"$report")" 0
}

@test "nor does a handle on a client of the login door, host users without root among them" {
  local i report
  trap_set login stream
  for ((i = 0; i < 20; i++)); do
    run timeout $((30 * ease)) narthex login mean </dev/null
    [ "$status" -lt 126 ] || fail "status $status: $output"
    run runuser -u nobody -- timeout $((30 * ease)) narthex login mean </dev/null
    [ "$status" -lt 126 ] || fail "status $status: $output"
  done
  trap_remove login
  report=$(cat "$containers/mean/root/trap-login")
  sort <<<"$report" | uniq -c | sort -n
  [ "$(wc -l <<<"$report")" -ge 40 ]
  equal "$(grep -c '=YES.*=YES' <<<"$report")" 0
}

# --- terminals ------------------------------------------------------------------------------------------

# A shell on a terminal of its own runs a command, and then everything that has been typed meanwhile.
on_a_terminal() { # COMMAND
  talk "command=$1" '
    spawn -noecho env PS1=prompt> bash --norc --noprofile --noediting
    need {prompt>}
    send "$command\r"
    need {prompt>}
    send "echo e\"\"nd\r"
    need {end}
    send "exit\r"
    need_eof
  '
}

# What was said up to the first "terminals end", or behind it: which terminals there are.
terminals_of() { # host|guest
  local part=1,/^terminals/p
  [ "$1" = host ] || part='/^terminals/,$p'
  tr -d '\r' <<<"$output" | sed -n "$part" | grep '^terminal ' | sort -u
}

@test "what a guest types into its terminals is not typed into the caller's" {
  local typing="$peer type 'touch /srv/typed
'" run
  rm -f /srv/typed
  # it works where nothing is in between
  on_a_terminal "/build/tests/peer type 'touch /srv/typed
'"
  matches "$output" 'typed [1-9]'
  poll 10 test -e /srv/typed
  rm /srv/typed
  run="narthex run --root $containers/mean-run --name mean-run"
  userns || run+=" --private-users=no"
  mkdir -p "$containers/mean-run${peer%/*}"
  cp /build/tests/peer "$containers/mean-run$peer"
  for run in "narthex exec -t mean --" "narthex exec mean --" "$run --"; do
    on_a_terminal "$run $typing"
    matches "$output" 'typed [0-9]'
    [ ! -e /srv/typed ] || fail "$run: it arrived"
    # whatever this kernel makes of typing: the guest has none of the host's terminals, but some of its own
    on_a_terminal "/build/tests/peer terminals; $run $peer terminals"
    [ -n "$(terminals_of host)" ] && [ -n "$(terminals_of guest)" ]
    equal "$(comm -12 <(terminals_of host) <(terminals_of guest))" ''
  done
}

# Terminals of the host's own, with the numbers that a guest's have, too.
host_terminals() {
  local i
  for ((i = 0; i < 8; i++)); do
    socat -u "pty,raw,echo=0,link=$BATS_TEST_TMPDIR/tty$i" "open:$BATS_TEST_TMPDIR/heard,creat,append" 3>&- &
    echo $! >>"$BATS_TEST_TMPDIR/pids"
  done
  # each: they start in any order
  for ((i = 0; i < 8; i++)); do
    poll 20 test -c "$BATS_TEST_TMPDIR/tty$i"
  done
  # they hear what is said
  echo ready >"$BATS_TEST_TMPDIR/tty0"
  poll 10 grep -q ready "$BATS_TEST_TMPDIR/heard"
}

@test "a guest that puts its own things where its terminals are gets no other terminal of the host's" {
  local way pid
  host_terminals
  # shellcheck disable=SC2016 # the guest's shell
  for way in 'mount -t devpts -o newinstance,ptmxmode=0666 devpts /dev/pts' \
    'mount -t tmpfs tmpfs /dev/pts; for i in 0 1 2 3 4 5 6 7; do mkfifo /dev/pts/$i; done' \
    'mount -t tmpfs tmpfs /dev/pts; for i in 0 1 2 3 4 5 6 7; do ln -s /dev/console /dev/pts/$i; done' \
    'mount --bind /dev/null /dev/ptmx; chmod 0 /dev/pts/ptmx'; do
    run inside mean "$way"
    run timeout $((30 * ease)) narthex exec -t mean -- /bin/echo said
    [ "$status" = 0 ] || [ "$status" = 125 ] || fail "$way: $status: $output"
    # a prompt, or a word about a terminal that can't be had
    talk 'spawn -noecho narthex login mean
      need {login: |cannot open a terminal}'
    inside mean 'umount /dev/pts/ptmx /dev/ptmx 2>/dev/null; umount -l /dev/pts; mountpoint -q /dev/pts || true' || true
  done
  while read -r pid; do
    kill "$pid"
  done <"$BATS_TEST_TMPDIR/pids"
  equal "$(cat "$BATS_TEST_TMPDIR/heard")" ready
}

# Nothing but text, in which no terminal sees anything but text.
plain() { # FILE
  ! LC_ALL=C grep -qaP '[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]' "$1"
}

console_says() { # REGEX
  journalctl --no-pager -o cat --all --since="@$since" -u container-mean | LC_ALL=C grep -a "$1"
}

@test "no control byte of a guest's comes out of a verb or into the journal as such" {
  local evil=$'\e]0;evil\a\e[2J\x9b31m' command out=$BATS_TEST_TMPDIR/out
  inside mean <<END
hostname '$evil'
printf 'NAME="%s"\nPRETTY_NAME="%s"\nID="%s"\n' '$evil' '$evil' '$evil' >/etc/os-release
printf '%s\n' '$evil' >/etc/hostname
printf 'before %s after\n' '$evil' >/dev/console
$peer cgroups /sys/fs/cgroup
systemd-notify --status='$evil' || true
logger -t '$evil' '$evil'
END
  poll 20 console_says 'before.*after'
  for command in 'list' 'list --json' 'status mean' 'status mean --json' 'show-ip mean' 'logs mean' \
    'exec mean -- /no/such' 'exec -w /no/such mean -- true' 'exec -u nobody-there mean -- true' "exec mean -- $evil" \
    "exec -u $evil mean -- true" "exec -w /$evil mean -- true" "cp mean:/$evil /srv/x" "status $evil" "exec $evil -- true"; do
    # shellcheck disable=SC2086 # words
    timeout $((30 * ease)) narthex $command >"$out" 2>&1 </dev/null || true
    [ -s "$out" ] || [ "$command" = 'show-ip mean' ] || fail "$command says nothing"
    plain "$out" || fail "$(cat -v <<<"narthex $command"; cat -v "$out")"
    # Nix reads JSON, too; without a store, which would then be every guest's
    [[ $command != *--json ]] || NIX_STORE_DIR=$BATS_TEST_TMPDIR/store NIX_STATE_DIR=$BATS_TEST_TMPDIR/state NIX_LOG_DIR=$BATS_TEST_TMPDIR/log \
      nix-instantiate --eval --strict -E "builtins.fromJSON (builtins.readFile $out)" >/dev/null
  done
  # of what came from the console; what the journal adds itself is of the host
  console_says 'before.*after' >"$out"
  plain "$out" || fail "the journal"
}

@test "no line of a guest's console is an emergency of the host's" {
  inside mean 'printf "\n<0>urgent one\n\r<2>urgent two\n%09000d<0>urgent three\n" 0 >/dev/console'
  poll 20 console_says 'urgent three'
  # they are shown as they are, and are no more than what a console says
  equal "$(console_says '\\x3c0>urgent one' | wc -l)" 1
  equal "$(console_says '<2>urgent two' | wc -l)" 1
  equal "$(journalctl --no-pager -q -o cat -p warning --since="@$since" | grep -c urgent)" 0
}

# --- the host's programs --------------------------------------------------------------------------------

programs() {
  local places=(/usr/lib/narthex /usr/bin/narthex /usr/bin/run-in-netns /usr/lib/systemd/system-generators/narthex-generator)
  find "${places[@]}" -printf '%p %y %m %U:%G %s %l %T@ %C@\n' | sort
  find "${places[@]}" -type f -exec sha256sum {} + | sort
  getfattr -Rhd -m - --absolute-names "${places[@]}"
  find "${places[@]}" -type f -exec getcap {} +
}

# Everything that a guest's root can try on a program that is there, or that runs.
# shellcheck disable=SC2016 # the guest's shell
attack='
  mount -o remount,rw,bind /run/host/narthex
  mount -o remount,rw /run/host/narthex
  for f in /run/host/narthex/* /run/host/narthex/lib/* /proc/[0-9]*/exe /proc/[0-9]*/root/run/host/narthex/narthex-agent; do
    case $(readlink -f $f) in */narthex*) ;; *) continue ;; esac
    chmod 6777 $f; chown 1000:1000 $f; touch -d 2001-01-01 $f; echo evil >>$f; : >$f; rm -f $f; mv $f $f.evil
    setfattr -n user.evil -v evil $f; setcap cap_sys_admin+ep $f
    : <>$f && echo OPENED $f
  done
  touch /run/host/narthex/evil && echo MADE'

@test "the host's programs stay as they are: content, mode, owner, times, attributes" {
  local more=()
  programs >"$BATS_TEST_TMPDIR/before"
  run inside mean "($attack) 2>/dev/null"
  [[ $output != *OPENED* && $output != *MADE* ]] || fail "$output"
  # where narthex-init is PID 1
  userns || more=(--private-users=no)
  run timeout $((60 * ease)) narthex run --root "$containers/mean-run" "${more[@]}" -- /bin/sh -c "($attack) 2>/dev/null; echo tried" </dev/null
  matches "$output" tried
  [[ $output != *OPENED* && $output != *MADE* ]] || fail "$output"
  diff "$BATS_TEST_TMPDIR/before" <(programs)
}

@test "a setuid file, and a device, that a guest makes are of no use to a host user" {
  local leader path
  leader=$(guest_leader mean)
  inside mean 'cp /bin/true /usr/local/bin/mighty; chmod 6755 /usr/local/bin/mighty; cp -p /usr/local/bin/mighty /run/host/narthex/doors/mighty'
  # its root can make none
  mknod -m 666 $doors/device c 1 5
  [ -u "$containers/mean/usr/local/bin/mighty" ] && [ -u $doors/mighty ]
  for path in "$containers/mean/usr/local/bin/mighty" /run/narthex/mean/root/usr/local/bin/mighty \
    "/proc/$leader/root/usr/local/bin/mighty" "/proc/$leader/cwd/usr/local/bin/mighty" $doors/mighty; do
    run runuser -u nobody -- "$path"
    [ "$status" != 0 ] || fail "$path: executed"
    matches "$output" 'ermission denied'
  done
  # nor for root by mistake: the doors are on a file system that executes nothing
  run $doors/mighty
  equal "$status" 126
  run runuser -u nobody -- head -c 1 $doors/device
  [ "$status" -ne 0 ]
  rm -f $doors/mighty $doors/device
}

# --- the guest next door --------------------------------------------------------------------------------

@test "two guests meet nowhere: signals, memory, queues, keys, abstract sockets, doors" {
  local pid other='' got
  narthex exec next -- systemd-run --quiet --collect --unit=offer --property=StandardOutput=file:/root/offer \
    /bin/bash -c "exec $peer offer 4711 < <(sleep infinity)"
  poll 20 grep -q ready "$containers/next/root/offer"
  # by itself it is found: the way of asking is right
  got=$(narthex exec next -- sh -c "$peer take 4711 \$(systemctl show -P MainPID offer)")
  equal "$(grep -c -e YES -e vm=EFAULT <<<"$got")" 7
  # one of its processes whose number isn't one of the other's as well
  for pid in $(guest_pids next); do
    narthex exec mean -- test -d "/proc/$pid" || other=$pid
  done
  [ -n "$other" ]
  got=$(narthex exec mean -- $peer take 4711 "$other")
  echo "$got"
  equal "$(grep -v '^key=' <<<"$got" | tr '\n' ' ')" \
    'abstract=ECONNREFUSED shmget=ENOENT msgget=ENOENT shm_open=ENOENT kill=ESRCH pidfd=ESRCH vm=ESRCH '
  [[ $got != *key=YES* ]]
  # nor is anything of the other's doors to be seen
  equal "$(inside mean 'find /run /var /proc/1/root/run -xdev -path "*next*" 2>/dev/null; ls /run/narthex 2>/dev/null')" ''
  equal "$(inside mean 'ls /run/host/narthex/doors/*.socket | wc -l')" 4
}
