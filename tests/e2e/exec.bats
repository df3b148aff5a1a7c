#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# narthex exec, shell and login: commands in a running container.

load lib

setup_file() {
  guest_up ex </dev/null
  poll 20 narthex exec ex -- true
}

teardown_file() {
  guests_remove_all
}

# narthex exec in the file's container, with a deadline.
ex() {
  timeout $((60 * ease)) narthex exec ex "$@"
}

@test "stdout, stderr and the exit status are the command's" {
  run --separate-stderr ex -- sh -c 'echo out; echo err >&2; exit 3'
  equal "$status" 3
  equal "$output" out
  # shellcheck disable=SC2154 # bats sets it
  equal "$stderr" err
  run -0 ex hostname
  equal "$output" ex
}

@test "every exit status arrives" {
  local n
  for n in 0 1 2 125 126 127 128 254 255; do
    run "-$n" ex -- sh -c "exit $n"
  done
}

@test "128+N for a command that a signal killed" {
  run ex -- sh -c 'kill -KILL $$'
  equal "$status" 137
  run ex -- sh -c 'kill -TERM $$'
  equal "$status" 143
}

@test "127 for a command that is not there, 126 for one that can't be executed" {
  run -127 ex -- no-such-command
  matches "$output" "cannot execute 'no-such-command': No such file"
  run -127 ex -- /no/such/command
  run ex -- /etc/passwd
  equal "$status" 126
  matches "$output" 'Permission denied'
  run ex -- /etc
  equal "$status" 126
}

@test "125 for what narthex can't do, 2 for a wrong command line" {
  run ex -u nobody-there -- true
  equal "$status" 125
  matches "$output" "no such user 'nobody-there'"
  run ex -w /no/such/dir -- pwd
  equal "$status" 125
  matches "$output" "cannot change to the directory '/no/such/dir'"
  run narthex exec nothing-there -- true
  equal "$status" 125
  matches "$output" "there is no container 'nothing-there'"
  run narthex exec ../etc -- true
  equal "$status" 125
  matches "$output" 'not the name of a container'
  run narthex exec ex
  equal "$status" 2
  run narthex exec ex --ttyy true
  equal "$status" 2
  matches "$output" 'did you mean --tty'
  run narthex exec ex -e =x true
  equal "$status" 2
  run narthex exec ex -w relative true
  equal "$status" 2
  run narthex exec ex -t -d true
  equal "$status" 2
  run narthex exec ex -u '' id
  equal "$status" 2
  matches "$output" '--user= is empty'
  run narthex shell ex --user= <<<id
  equal "$status" 2
  matches "$output" '--user= is empty'
}

@test "a container that is not running is said to be so" {
  guest_tree stopped
  guest_conf stopped </dev/null
  run narthex exec stopped -- true
  equal "$status" 125
  matches "$output" "'stopped' is not running"
  run narthex login stopped
  equal "$status" 125
  guest_remove stopped
}

@test "user, directory and environment" {
  run -0 ex -- sh -c 'id -u; pwd; echo $HOME $USER; echo ${SSH_TTY-none}${BATS_TEST_NAME-none}'
  equal "$output" $'0\n/\n/root root\nnonenone'
  run -0 ex -u daemon -w /tmp -e A='b c' -- sh -c 'id -un; pwd; echo "$A"'
  equal "$output" $'daemon\n/tmp\nb c'
  run -0 ex -u 1 -- id -un
  equal "$output" daemon
  equal "$(FROM_HERE=there ex -e FROM_HERE -- sh -c 'echo $FROM_HERE')" there
  run -2 ex -e NOT_HERE -- true
  run -0 ex --login -- sh -c 'echo "$(pwd) $0 $1"' 'a  b' "it's"
  equal "$output" "/root a  b it's"
}

@test "words arrive as they are" {
  run -0 ex -- printf '<%s>' '' ' ' 'a b' $'new\nline' '*' '$HOME' -- -x
  equal "$output" $'<>< ><a b><new\nline><*><$HOME><--><-x>'
  run -0 ex -- sh -c 'echo $#' sh $(seq 2000)
  equal "$output" 2000
  run ex -- true {,,}"$(head -c 50000 /dev/zero | tr '\0' x)"
  equal "$status" 125
  matches "$output" 'too long'
}

@test "stdin, stdout, stderr of any kind, closed ones too" {
  local d=$BATS_TEST_TMPDIR
  echo hello >"$d/in"
  equal "$(ex -- cat <"$d/in")" hello
  equal "$(echo piped | ex -- cat)" piped
  equal "$(ex -- cat </dev/null | wc -c)" 0
  equal "$(ex -- cat <&- | wc -c)" 0
  ex -- sh -c 'echo out; echo err >&2' >"$d/out" 2>"$d/err"
  equal "$(cat "$d/out")$(cat "$d/err")" outerr
  ex -- echo more >>"$d/out"
  equal "$(cat "$d/out")" $'out\nmore'
  ex -- echo lost >&-
  ex -- sh -c 'echo lost >&2' 2>&-
  ex -- true <&- >&- 2>&-
  ex -- echo lost >/dev/null </dev/null
  equal "$(ex -- sh -c 'echo both; echo both >&2' 2>&1 | sort | uniq -c | tr -s ' ')" ' 2 both'
  run bash -c 'timeout 180 narthex exec ex -- echo x >/dev/full'
  equal "$status" 125
  matches "$output" 'cannot write to standard output: No space left'
  # input that breaks off is no end of input; what was never any is
  run bash -c 'timeout 180 narthex exec ex -- cat </proc/1/mem'
  equal "$status" 125
  matches "$output" 'cannot read standard input: (Input/output|I/O) error'
  equal "$(ex -- wc -c </)" 0
  equal "$(ex -- wc -c 0>"$d/out")" 0
  equal "$(socat -t 20 - SYSTEM:'narthex exec ex -- rev' <<<drawer)" reward
}

@test "nothing is lost at the end" {
  local n
  for n in $(seq 100); do
    [ "$(ex -- seq 2000 | sha256sum)" = "$(seq 2000 | sha256sum)" ] || fail "run $n"
  done
  equal "$(ex -- sh -c 'head -c 300000 /dev/zero; exit 5' | wc -c)" 300000
}

@test "64 MiB of random bytes there and back are the same" {
  local d=$BATS_TEST_TMPDIR want
  head -c 67108864 /dev/urandom >"$d/random"
  want=$(sha256sum <"$d/random")
  equal "$(ex -- sha256sum <"$d/random")" "$want"
  equal "$(cat "$d/random" | ex -- cat | sha256sum)" "$want"
  ex -- cat <"$d/random" >"$d/back"
  cmp "$d/random" "$d/back"
}

@test "a reader who goes ends the writer" {
  run bash -c 'timeout 180 narthex exec ex -- yes | head -n 1; echo ${PIPESTATUS[0]}'
  equal "$output" $'y\n141'
}

@test "a job in the background does not hold the session" {
  run timeout $((60 * ease)) narthex exec ex -- sh -c '(sleep 1000) & echo started'
  equal "$status" 0
  equal "$output" started
}

@test "signals reach the command" {
  local sig pid out=$BATS_TEST_TMPDIR/out
  for sig in INT TERM HUP QUIT USR1 USR2; do
    : >"$out"
    timeout $((60 * ease)) narthex exec ex -- bash -c "trap 'echo got; exit 9' $sig; echo ready; while :; do read -rt 1 <> <(:); done" \
      </dev/null >"$out" 3>&- &
    pid=$!
    poll 20 grep -q ready "$out"
    kill -"$sig" "$(pgrep -P $pid)" 2>/dev/null || kill -"$sig" "$pid"
    wait $pid && status=0 || status=$?
    equal "$sig $status $(tail -n 1 "$out")" "$sig 9 got"
  done
}

no_process() { # PATTERN
  ! ex -- sh -c "for p in /proc/[0-9]*; do tr '\0' ' ' <\$p/cmdline 2>/dev/null | grep -q '^$1' && exit 0; done; exit 1"
}

@test "a client that is killed takes its command along" {
  local pid out=$BATS_TEST_TMPDIR/out
  narthex exec ex -- sh -c 'echo ready; exec tail -f /etc/passwd' </dev/null >"$out" 3>&- &
  pid=$!
  poll 20 grep -q ready "$out"
  kill -KILL $pid
  poll 20 no_process 'tail -f /etc/passwd'
}

# Another cgroup is no other session: the command itself, or one of its children.
@test "a client that is killed takes along what has gone into a scope of its own" {
  local pid out=$BATS_TEST_TMPDIR/out scope='systemd-run -q --scope sh -c "echo ready; exec sleep 10088"' command
  for command in "exec $scope" "$scope; :"; do
    narthex exec ex -- sh -c "$command" </dev/null >"$out" 3>&- &
    pid=$!
    poll 20 grep -q ready "$out"
    poll 20 equal_count ex '^sleep 10088' 1
    kill -KILL $pid
    poll 20 equal_count ex '^sleep 10088' 0
    rm "$out"
  done
}

@test "--detach leaves it running" {
  run -0 ex -d -- sh -c 'echo lost; ls -l /proc/$$/fd >/root/stdout; exec tail -F /etc/passwd'
  equal "$output" ''
  poll 20 equal_count ex '^tail -F /etc/passwd' 1
  equal "$(ex -- grep -c '/dev/null$' /root/stdout)" 3
  ex -- sh -c 'for p in /proc/[0-9]*; do grep -qsa "^tail.-F" $p/cmdline && kill ${p#/proc/}; done; :'
}

journal_has() { # PROGRAM N
  [ "$(ex -- journalctl -q -o cat --no-pager NARTHEX_PROGRAM="$1" | grep -c 'closed at door exec')" = "$2" ]
}

@test "200 at once, and none is lost, in the journal neither" {
  local i pids=()
  for i in $(seq 200); do
    timeout $((100 * ease)) narthex exec ex -- /usr/bin/sh -c "echo $i" </dev/null >>"$BATS_TEST_TMPDIR/out" 3>&- &
    pids+=($!)
  done
  wait "${pids[@]}"
  equal "$(sort -n "$BATS_TEST_TMPDIR/out" | sha256sum)" "$(seq 200 | sha256sum)"
  poll 30 journal_has /usr/bin/sh 200
}

@test "a resize, while a slow reader has not read what an ended command wrote, loses nothing" {
  local fd pid
  mkfifo "$BATS_TEST_TMPDIR/slow"
  narthex exec ex -- head -c 120000 /dev/zero >"$BATS_TEST_TMPDIR/slow" 3>&- &
  pid=$!
  exec {fd}<"$BATS_TEST_TMPDIR/slow"
  head -c 1 <&"$fd" >/dev/null
  poll 20 equal_count ex '^head -c 120000' 0
  kill -WINCH "$pid"
  kill -USR1 "$pid"
  poll 20 no_signal_waits "$pid"
  equal "$(wc -c <&"$fd")" 119999
  exec {fd}<&-
  wait "$pid"
}

@test "under nohup a hangup ends nothing" {
  local pid status out=$BATS_TEST_TMPDIR/out
  (
    trap '' HUP
    exec narthex exec ex -- sh -c 'trap "echo hup" HUP; trap "echo usr1; exit 7" USR1; echo ready; while :; do sleep 0.1; done'
  ) </dev/null >"$out" 3>&- &
  pid=$!
  poll 20 grep -q ready "$out"
  kill -HUP $pid
  kill -USR1 $pid
  wait $pid && status=0 || status=$?
  equal "$status" 7
  equal "$(cat "$out")" $'ready\nusr1'
}

no_signal_waits() { # PID
  grep -qE '^(ShdPnd:.0+|State:.Z.*)$' "/proc/$1/status"
}

# --- terminals -------------------------------------------------------------------------------------

@test "-t gives a terminal with the caller's size and TERM" {
  talk 'spawn -noecho sh -c {stty rows 33 cols 101; TERM=vt220 narthex exec ex -t -- sh -c "tty; stty size; echo term \$TERM; echo status"}
    need {/dev/pts/[0-9]+}; need {33 101}; need {term vt220}; need status; need_eof'
  run -0 ex -t -- tty </dev/null
  matches "$output" '/dev/pts/'
  run -3 ex -t -- sh -c 'stty size; exit 3' </dev/null
  matches "$output" '^24 80'
}

@test "a terminal is its user's, who can open it by its name" {
  local user
  for user in root daemon; do
    run -0 ex -t -u $user -- sh -c 'stat -c "%U %a" $(tty); echo by name >$(tty)' </dev/null
    matches "$output" "$user 620.*by name"
  done
}

@test "a resize is forwarded" {
  talk 'spawn -noecho sh -c {stty cols 111; exec narthex exec ex -t -- sh -c "trap \"stty size; exit\" WINCH; echo ready; tail -f /dev/null & wait"}
    need ready
    # one size, one signal: of rows and columns stty makes two
    exec stty rows 41 <$spawn_out(slave,name)
    need {41 111}; need_eof'
}

@test "the terminal's keys send signals" {
  talk 'spawn -noecho sh -c {narthex exec ex -t -- sh -c "echo ready; exec tail -f /dev/null"; echo status $?}
    need ready; send "\x03"; need {status 130}; need_eof'
}

@test "the terminal is restored, whatever ends the session" {
  local how
  for how in 'exit 3' 'kill -KILL $$' 'stty raw; kill -TERM $$'; do
    talk how="$how" 'spawn -noecho bash -c {stty -g >'"$BATS_TEST_TMPDIR"'/before; narthex exec ex -t -- sh -c "$0"; echo done; stty -g >'"$BATS_TEST_TMPDIR"'/after; echo end} $how
      need end; need_eof'
    cmp "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
  done
}

@test "the escape leaves a session that does not answer, and restores the terminal" {
  talk 'spawn -noecho bash -c {stty -g >'"$BATS_TEST_TMPDIR"'/before; narthex exec ex -t -- sh -c "stty raw -echo; trap : HUP INT; echo ready; exec tail -f /dev/null"; echo status $?; stty -g >'"$BATS_TEST_TMPDIR"'/after; echo end}
    need ready
    send "\x1d\x1d\x1d"
    need {left the session}; need {status 125}; need end; need_eof'
  cmp "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
}

@test "a hangup of the client restores the terminal, a second TERM too" {
  local sig
  for sig in HUP TERM; do
    talk sig=$sig 'spawn -noecho bash -c {stty -g >'"$BATS_TEST_TMPDIR"'/before; narthex exec ex -t -- sh -c "trap \"echo got\" TERM HUP; echo ready; while :; do tail -n 1 -f /dev/null & wait \$!; done"; echo status $?; stty -g >'"$BATS_TEST_TMPDIR"'/after; echo end}
      need ready
      exec pkill -$sig -P [exp_pid] narthex
      if {$sig == "TERM"} { need got; exec pkill -$sig -P [exp_pid] narthex }
      need {status 1(29|43)}; need end; need_eof'
    cmp "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
  done
}

@test "a suspended client gives the terminal back, and takes it again when it goes on" {
  # raw or not: no shell is there that could have done it
  local prologue='
    proc wait_for {what pattern args} {
      for {set i 0} {$i < 400} {incr i} {
        if {[regexp -- $pattern [exec {*}$args]]} { return }
        after 50
      }
      puts "\nstill not: $what"; exit 94
    }
    spawn -noecho narthex exec ex -t -- sh -c {echo ready; read x; echo got $x; exit 4}
    set tty $spawn_out(slave,name); set pid [exp_pid]
    need ready; wait_for raw {[-]opost} stty -a -F $tty'
  talk "$prologue"'
    exec kill -TSTP $pid; wait_for stopped { T } cat /proc/$pid/stat; wait_for cooked {[^-]opost} stty -a -F $tty
    exec kill -CONT $pid; wait_for raw {[-]opost} stty -a -F $tty
    send "one\r"; need {got one}; need_eof; if {[lindex [wait] 3] != 4} { exit 96 }'
  # nobody is told of a SIGSTOP, but a shell sets its own modes then
  talk "$prologue"'
    exec kill -STOP $pid; wait_for stopped { T } cat /proc/$pid/stat; exec stty -F $tty sane; wait_for cooked {[^-]opost} stty -a -F $tty
    exec stty -F $tty rows 31 cols 99; exec kill -CONT $pid; wait_for raw {[-]opost} stty -a -F $tty
    send "one\r"; need {got one}; need_eof; if {[lindex [wait] 3] != 4} { exit 96 }'
}

@test "a client on a terminal that is killed takes its command along, and leaves no file" {
  local before
  before=$(files_of_ours)
  talk 'spawn -noecho bash -c {narthex exec ex -t -- sh -c "echo ready; exec tail -n 89 -f /dev/null"; echo status $?}
    need ready; exec pkill -KILL -P [exp_pid] narthex; need {status 137}; need_eof'
  poll 20 equal_count ex 'tail -n 89' 0
  talk 'spawn -noecho narthex exec ex -t -- sh -c "echo ready; exec tail -n 89 -f /dev/null"
    need ready; close; wait'
  poll 20 equal_count ex 'tail -n 89' 0
  equal "$(files_of_ours)" "$before"
}

# Services of the host's make directories in /tmp, too.
files_of_ours() {
  find /tmp /run/narthex/ex -maxdepth 1 ! -name 'systemd-private*' | sort
}

@test "input that ends reaches a program on a terminal as its end" {
  run -0 bash -c 'printf "one\ntwo" | timeout 180 narthex exec ex -t -- cat'
  matches "$output" 'one.*two'
}

@test "a terminal's output is whole at the end" {
  local n
  for n in $(seq 20); do
    equal "$(ex -t -- seq 3000 </dev/null | tr -d '\r' | sha256sum)" "$(seq 3000 | sha256sum)"
  done
}

# --- shell, login ----------------------------------------------------------------------------------

@test "shell reads a script, and is interactive on a terminal" {
  equal "$(echo 'echo $0; id -u; pwd; exit 4' | timeout $((60 * ease)) narthex shell ex || echo status $?)" $'-bash\n0\n/root\nstatus 4'
  talk 'spawn -noecho narthex shell ex
    need {# }; send "tty; id -un\r"; need {/dev/pts/[0-9]+}; need root; need {# }; send "exit 7\r"; need_eof
    if {[lindex [wait] 3] != 7} { exit 96 }'
}

@test "shell as another user has a session of PAM" {
  ex -- useradd -m -s /bin/bash anna
  talk 'spawn -noecho narthex shell -u anna ex
    need {[$] }; send "id -un; pwd; exit\r"; need anna; need /home/anna; need_eof'
}

@test "login asks for name and password, also for a host user without root" {
  ex -- sh -c 'echo root:secret | chpasswd'
  talk 'spawn -noecho runuser -u nobody -- narthex login ex
    need {login: }; send "root\r"; need {assword: }; send "secret\r"; need {# }; send "id -u; hostname; exit\r"; need ex; need_eof'
}

@test "a host user without root may not execute, and is told what he may" {
  run runuser -u nobody -- narthex exec ex -- true
  equal "$status" 125
  matches "$output" "no permission.*'narthex login'"
}

# --- recordings ------------------------------------------------------------------------------------

replay() { # FILE [events]
  "$BATS_TEST_DIRNAME/replay" "$@"
}

@test "--record of exec -t: what was shown, sizes, only for its owner" {
  local cast=$BATS_TEST_TMPDIR/cast
  talk cast="$cast" 'spawn -noecho sh -c {stty rows 33 cols 101; TERM=vt220 narthex exec ex -t --record "$0" -- sh -c "printf \\\\303; stty size; printf \\\\244; printf \"\\\\033\\\\001\\\\377\\\\n\"; trap \"stty size; exit\" WINCH; echo ready; tail -f /dev/null & wait"} $cast
    need ready
    # one size, one signal: of rows and columns stty makes two
    exec stty rows 41 <$spawn_out(slave,name)
    need {41 101}; need_eof'
  equal "$(stat -c %a "$cast")" 600
  matches "$(head -n 1 "$cast")" '"width": 101, "height": 33, .*"command": "sh -c .*"title": "ex", "env": \{"TERM": "vt220"\}\}$'
  equal "$(replay "$cast")" $'\xef\xbf\xbd33 101\r\n\xef\xbf\xbd\e\001\xef\xbf\xbd\r\nready\r\n41 101\r'
  matches "$(replay "$cast" events)" '[0-9.]+ r 101x41'
  run ex -t --record "$cast" -- true </dev/null
  equal "$status" 125
  matches "$output" "cannot record to '$cast': File exists"
  run ex --record "$cast.new" -- true
  equal "$status" 2
  matches "$output" '--record needs --tty'
  run -127 ex -t --record "$cast.new" -- no-such-command </dev/null
  [ ! -e "$cast.new" ]
}

@test "--record keeps all of 5 MB, in characters of several bytes" {
  local cast=$BATS_TEST_TMPDIR/cast text
  run -0 ex -- sh -c 'yes "aäb€c😀" | head -c 5000001 >/root/text; sha256sum </root/text'
  text=$output
  ex -t --record "$cast" -- sh -c 'stty -opost; cat /root/text' </dev/null >"$BATS_TEST_TMPDIR/shown"
  replay "$cast" >"$BATS_TEST_TMPDIR/replayed"
  equal "$(sha256sum <"$BATS_TEST_TMPDIR/shown")" "$text"
  # its last character was cut
  equal "$(head -c 4999990 "$BATS_TEST_TMPDIR/replayed" | sha256sum)" "$(head -c 4999990 "$BATS_TEST_TMPDIR/shown" | sha256sum)"
}

@test "--record of shell and login; passwords are not in it" {
  local cast=$BATS_TEST_TMPDIR/cast
  talk cast="$cast" 'spawn -noecho narthex shell --record=$cast.shell ex
    need {# }; send "echo in the shell\r"; need {in the shell.*in the shell}; need {# }; send "exit 7\r"; need_eof
    if {[lindex [wait] 3] != 7} { exit 96 }'
  matches "$(replay "$cast.shell")" 'echo in the shell.*in the shell'
  run -2 narthex shell --record "$cast.none" ex </dev/null
  matches "$output" '--record needs a terminal'
  ex -- sh -c 'echo root:very-secret | chpasswd'
  talk cast="$cast" 'spawn -noecho sh -c {stty rows 33 cols 101; exec narthex login ex --record $0} $cast.login
    need {login: }
    exec stty rows 41 cols 111 <$spawn_out(slave,name)
    send "root\r"; need {assword: }; send "very-secret\r"; need {# }; send "id -u; exit\r"; need_eof'
  matches "$(replay "$cast.login")" 'login: root.*assword: .*id -u; exit'
  matches "$(head -n 1 "$cast.login")" '"width": 101, "height": 33,'
  matches "$(replay "$cast.login" events)" ' r 111x41'
  not grep -q very-secret "$cast.login"
}

@test "a recording that is cut by the client's death can be replayed up to there" {
  local pid cast=$BATS_TEST_TMPDIR/cast
  narthex exec ex -t --record "$cast" -- sh -c 'while :; do seq 1000; done' </dev/null >/dev/null 3>&- &
  pid=$!
  poll 20 larger "$cast" 100000
  kill -KILL $pid
  wait $pid || true
  matches "$(replay "$cast" | head -n 2)" $'^1\r\n2'
}

larger() { # FILE BYTES
  [ "$(stat -c %s "$1")" -gt "$2" ]
}

@test "a recording on a disk that is full ends whole, and the session goes on" {
  local d=$BATS_TEST_TMPDIR/small
  mkdir "$d"
  mount -t tmpfs -o size=64k none "$d"
  run ex -t --record "$d/cast" -- sh -c 'seq 30000; exit 5' </dev/null
  "$BATS_TEST_DIRNAME/replay" "$d/cast" >"$BATS_TEST_TMPDIR/replayed" && replayed=yes
  umount "$d"
  equal "$status" 5
  matches "$output" '30000.*the recording .* is cut short: No space left'
  equal "$replayed" yes
  matches "$(head -n 2 "$BATS_TEST_TMPDIR/replayed")" $'^1\r\n2'
}

# --- where doors lead -----------------------------------------------------------------------------

@test "--root finds the door below any root" {
  run -0 timeout $((60 * ease)) narthex exec --root "$containers/ex" -- hostname
  equal "$output" ex
  run timeout $((60 * ease)) narthex exec --root / -- true
  equal "$status" 125
  run timeout $((60 * ease)) narthex exec --root "$containers/none" -- true
  equal "$status" 125
  matches "$output" 'No such file'
}

@test "a door that leads elsewhere is refused" {
  local pid doors=/run/narthex/ex/doors
  mv "$doors/exec.socket" "$doors/moved"
  run ex -- true
  equal "$status" 125
  matches "$output" "has no door 'exec'"
  ln -s moved "$doors/exec.socket"
  run ex -- true
  equal "$status" 125
  matches "$output" 'no socket'
  rm "$doors/exec.socket"
  # a listener of the host's own
  socat -t 60 "unix-listen:$doors/exec.socket,type=5" - </dev/null >"$BATS_TEST_TMPDIR/canary" 3>&- &
  pid=$!
  poll 20 listens_at "$doors/exec.socket"
  run ex -- true
  equal "$status" 125
  matches "$output" 'refusing the door'
  wait "$pid"
  equal "$(wc -c <"$BATS_TEST_TMPDIR/canary")" 0
  rm -f "$doors/exec.socket"
  mv "$doors/moved" "$doors/exec.socket"
  ex -- true
}

# Each verb that goes in says the same of a door that doesn't open, with status 125.
all_refuse() { # NAME MESSAGE
  local verb command
  for verb in exec shell login; do
    command=()
    [ "$verb" != exec ] || command=(true)
    run timeout $((60 * ease)) narthex "$verb" "$1" "${command[@]}" </dev/null
    equal "$verb $status" "$verb 125"
    matches "$output" "$2"
  done
}

@test "errors of exec, shell and login: no such container, not running, no agent, no permission, no such user" {
  local door doors=/run/narthex/ex/doors
  all_refuse nothing-there "^narthex: there is no container 'nothing-there'$"
  all_refuse ../ex 'is not the name of a container'
  guest_tree stopped
  guest_conf stopped </dev/null
  all_refuse stopped "^narthex: container 'stopped' is not running: start it with 'narthex start stopped'"
  guest_remove stopped
  mkdir "$doors/away"
  mv "$doors"/{exec,login}.socket "$doors/away"
  all_refuse ex "has no door '(exec|login)': is narthex-agent installed and its socket active there"
  # a socket that nobody listens on
  for door in exec login; do
    perl -MSocket -e 'socket(S, AF_UNIX, SOCK_STREAM, 0) && bind(S, sockaddr_un($ARGV[0])) or die $!' "$doors/$door.socket"
  done
  all_refuse ex "(nobody listens at the door|cannot connect to the door) '(exec|login)' of container 'ex'"
  rm "$doors"/{exec,login}.socket
  mv "$doors/away"/* "$doors"
  rmdir "$doors/away"
  run runuser -u nobody -- narthex shell ex </dev/null
  equal "$status" 125
  matches "$output" "no permission for the door 'exec' of container 'ex'; 'narthex login' is for everybody"
  run narthex shell -u nobody-there ex </dev/null
  equal "$status" 125
  matches "$output" "no such user 'nobody-there'"
  ex -- true
}

@test "a container that dies under a terminal: it is restored, and said" {
  local verb d=$BATS_TEST_TMPDIR
  for verb in 'shell mortal' 'login mortal' 'exec -t mortal -- tail -f /etc/passwd'; do
    guest_up mortal </dev/null
    poll 20 narthex exec mortal -- true
    talk verb="$verb" dir="$d" 'spawn -noecho bash -c "stty -g >$dir/before; narthex $verb; echo status \$?; stty -g >$dir/after"
      need {(# |login: |alice:)}
      exec systemctl kill -s KILL container-mortal
      need {(lost the container|status (137|129|0))}; need_eof'
    cmp "$d/before" "$d/after"
    guest_remove mortal
  done
}

@test "a container that dies takes the session along, with a message" {
  local pid out=$BATS_TEST_TMPDIR/out
  guest_up dying </dev/null
  poll 20 narthex exec dying -- true
  timeout $((60 * ease)) narthex exec dying -- sh -c 'echo ready; exec tail -f /dev/null' </dev/null >"$out" 2>&1 3>&- &
  pid=$!
  poll 20 grep -q ready "$out"
  systemctl kill -s KILL container-dying
  wait $pid && status=0 || status=$?
  # the agent may have lived long enough to tell how the command ended
  matches "$status $(cat "$out")" '^(125 .*lost the container|137)'
}
