#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What a guest's own program in the place of narthex-agent can do to those who come in: each verb ends in its deadline with a
# clear error, the terminal is as before, and nothing stays open.

load lib

doors=/run/narthex/mean/doors
mode=$containers/mean/root/mode

# tests/hostile/agent.c in the place of the doors, as the guest's root would do it
door_replace() { # DOOR TYPE
  narthex exec --detach mean -- systemd-run --quiet --collect --unit="fake-$1" --property=StandardOutput="file:/root/$1.out" \
    /usr/local/bin/agent "/run/host/narthex/doors/new-$1" "$2" /root/mode
  poll 20 grep -q ready "$containers/mean/root/$1.out"
  mv -T "$doors/$1.socket" "$doors/$1.was"
  mv -T "$doors/new-$1" "$doors/$1.socket"
}

setup_file() {
  guest_tree mean
  cp /build/tests/agent "$containers/mean/usr/local/bin/"
  guest_conf mean </dev/null
  guest_start mean
  poll 30 narthex exec mean -- true
  door_replace login stream
  door_replace exec seqpacket
}

teardown_file() {
  guests_remove_all
}

# --- everyone at once, so that only the slowest deadline is waited for ---------------------------------------

# Runs it with a deadline; its status and what it says, a line each, are in the file.
at_once() { # FILE CMD…
  local file=$1 status=0
  shift
  timeout -k 5 $((40 * ease)) "$@" </dev/null >"$file.out" 2>&1 3>&- || status=$?
  printf '%s %s\n' "$status" "$(tr '\r\n' '  ' <"$file.out" | cat -v)" >"$file"
}

# The same on a terminal, which must be as before.
on_terminal() { # FILE CMD…
  local file=$1 before after
  shift
  converse file="$file" command="$*" 'spawn -noecho bash -c "stty -g >$file.before; $command; echo status \$?; stty -g >$file.after"
    expect { -re {status [0-9]+} {} timeout {} eof {} }; expect eof' >"$file.out" 2>&1 3>&- || true
  before=$(cat "$file.before") after=$(cat "$file.after" || echo none)
  printf '%s%s %s\n' "$(sed -n 's/.*status \([0-9]*\).*/\1/p' "$file.out" | tail -n 1)" \
    "$([ "$before" = "$after" ] || echo ', the terminal has changed')" "$(tr '\r\n' '  ' <"$file.out" | cat -v)" >"$file"
}

# What every verb of the exec door makes of an agent of that mode: the file of each has what it said.
knock_all() { # MODE
  local pids=()
  dir=$BATS_TEST_TMPDIR/$1
  mkdir "$dir"
  echo "$1" >"$mode"
  at_once "$dir/exec" narthex exec mean -- true &
  pids+=($!)
  at_once "$dir/shell" narthex shell mean &
  pids+=($!)
  at_once "$dir/detached" narthex exec -d mean -- true &
  pids+=($!)
  on_terminal "$dir/exec-t" narthex exec -t mean -- true &
  pids+=($!)
  on_terminal "$dir/shell-t" narthex shell mean &
  pids+=($!)
  wait "${pids[@]}"
}

# Each of them has ended with that status and message, and shows nothing that a terminal would obey.
all_end() { # MODE STATUS MESSAGE
  local verb
  knock_all "$1"
  for verb in exec shell detached exec-t shell-t; do
    matches "$(cat "$dir/$verb")" "^$2 .*$3" || fail "narthex $verb, an agent that is $1"
    [[ $(cat "$dir/$verb") != *'^[]0'* ]] || fail "$verb, $1: a control sequence came through"
  done
}

launcher_fds() {
  find "/proc/$(launcher_pid mean)/fd" -mindepth 1 | wc -l
}

same_fds() { # N
  [ "$(launcher_fds)" -le "$1" ]
}

# --- the tests -------------------------------------------------------------------------------------------------

@test "an agent that is silent, or doesn't even accept: every verb gives up in its deadline" {
  local fds
  all_end refuse 125 'refuses the request'
  fds=$(launcher_fds)
  all_end silent 125 'has not answered in 10 s'
  all_end deaf 125 'has not (answered|opened) in 10 s'
  poll 20 same_fds "$fds"
}

@test "garbage, cut and oversized answers, another version, answers out of turn: a clear error at once" {
  local fds
  echo refuse >"$mode"
  run narthex exec -t mean -- true </dev/null
  fds=$(launcher_fds)
  all_end garbage 125 'answer is malformed: '
  all_end truncated 125 'answer is malformed: a wrong length'
  all_end oversize 125 'answer is malformed: too long'
  all_end version 125 'answer is malformed: another version'
  all_end end-first 125 'answers out of turn'
  all_end refuse 125 'refuses the request: \\x1b'
  poll 20 same_fds "$fds"
}

@test "an early close, before and after the request" {
  all_end close 125 '(closed the door without an answer|cannot send the command)'
  all_end close-after 125 'closed the door without an answer'
}

@test "an end in the middle of a session" {
  local verb
  for how in 'both|answers out of turn' 'lost|lost the container before the command has ended' 'middle|answer is malformed: '; do
    knock_all "${how%%|*}"
    for verb in exec shell exec-t shell-t; do
      matches "$(cat "$dir/$verb")" "^125 .*${how#*|}" || fail "narthex $verb, $how"
    done
    # who detaches has what it wants with the start
    matches "$(cat "$dir/detached")" '^0 '
  done
}

@test "250 descriptors attached are not taken" {
  all_end fds 0 ''
  # leaks are looked for by ptrace, which strace has
  export ASAN_OPTIONS=detect_leaks=0
  strace -f -o "$dir/trace" -e trace=recvfrom,recvmsg narthex exec mean -- true </dev/null
  grep -q recv "$dir/trace"
  not grep SCM_RIGHTS "$dir/trace"
  # nor where the kernel can't be told to refuse them: there is no room for any
  strace -f -o "$dir/trace" -e trace=recvfrom,recvmsg /build/tests/deny SO_PASSRIGHTS -- narthex exec mean -- true </dev/null
  grep -q recv "$dir/trace"
  not grep SCM_RIGHTS "$dir/trace"
}

@test "output that goes on after the end of the command ends the session all the same" {
  local verb
  knock_all flood
  for verb in exec shell exec-t shell-t; do
    matches "$(head -c 20 "$dir/$verb")" '^0 ' || fail "narthex $verb"
  done
}

@test "a session that is never said to end can be left: ^] three times, a second TERM" {
  local pid
  echo hold >"$mode"
  talk dir="$BATS_TEST_TMPDIR" 'spawn -noecho bash -c {stty -g >$0/before; narthex exec -t mean -- true; echo status $?; stty -g >$0/after} $dir
    need held
    send "\x1d\x1d\x1d"
    need {left the session}; need {status 125}; need_eof'
  cmp "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
  narthex exec mean -- true </dev/null >"$BATS_TEST_TMPDIR/out" 3>&- &
  pid=$!
  poll 20 grep -q held "$BATS_TEST_TMPDIR/out"
  poll 20 asked $pid
  wait $pid && status=0 || status=$?
  equal "$status" 143
}

# Asks until it is gone: two signals at once may be one.
asked() { # PID
  ! kill -TERM "$1" 2>/dev/null || grep -qs '^State:.*Z' "/proc/$1/status"
}

@test "login: silent, closed at once" {
  local verb pids=() d=$BATS_TEST_TMPDIR
  echo silent >"$mode"
  at_once "$d/login" narthex login mean &
  pids+=($!)
  at_once "$d/nobody" runuser -u nobody -- narthex login mean &
  pids+=($!)
  on_terminal "$d/login-t" narthex login mean &
  pids+=($!)
  wait "${pids[@]}"
  for verb in login login-t; do
    matches "$(cat "$d/$verb")" '^125 .*the container has not answered in 10 s' || fail "$verb"
  done
  # who may not look at more than the kernel says of the other side talks to PID 1 only
  matches "$(cat "$d/nobody")" '^125 .*(refusing the door|has not answered in 10 s)'
  echo close >"$mode"
  at_once "$d/login" narthex login mean
  on_terminal "$d/login-t" narthex login mean
  for verb in login login-t; do
    matches "$(cat "$d/$verb")" '^125 .*closed the door without an answer' || fail "$verb"
  done
}

@test "verbs that need no agent don't wait for one" {
  echo silent >"$mode"
  SECONDS=0
  run -0 narthex status mean
  run -0 narthex list
  run -0 narthex cp /etc/hostname mean:/root/copied
  run -0 narthex cp mean:/root/copied "$BATS_TEST_TMPDIR/back"
  run -0 narthex logs -n 1 mean
  [ "$SECONDS" -lt $((10 * ease)) ] || fail "$SECONDS s"
  run -0 timeout $((60 * ease)) narthex stop mean
}
