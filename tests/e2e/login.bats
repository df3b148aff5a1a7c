#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The two terminal doors, with the guest's own getty and login behind them.

load lib

setup_file() {
  guest_up login </dev/null
  guest_up nodbus nodbus </dev/null
  guest_up trixie trixie </dev/null
}

teardown_file() {
  guests_remove_all
}

dialogue='
  knock $door
  need "login: $"
  send "$user\r"
  need "Password: "
  send "$password\r"
  need "\\$ $|# $"
  send "PS1=; echo term=\$TERM tty=\$(tty) size=\$(stty size) user=\$(id -un)\r"
  need "term=\[a-z0-9-\]+ tty=/dev/pts/\[0-9\]+ size=\[0-9\]+ \[0-9\]+ user=\[a-z\]+"
'

@test "the example as printed: socat gives a login prompt, password and session" {
  talk "door=$(door login login)" user=alice password=alicepw "$dialogue"'
    send "who | cut -d\" \" -f1; exit\r"
    need "alice"
    need_eof
  '
  matches "$output" 'Debian GNU/Linux 12'
  matches "$output" 'login login: '
  matches "$output" 'term=linux tty=/dev/pts/[0-9]+ size=24 80 user=alice'
  # the password is never shown
  [[ $output != *alicepw* ]]
}

@test "root may log in, too" {
  talk "door=$(door login login)" user=root password=rootpw "$dialogue"'
    send "exit\r"
    need_eof
  '
  matches "$output" 'user=root'
}

@test "a wrong password is refused, and asked again" {
  talk "door=$(door login login)" '
    knock $door
    need "login: $"
    send "alice\r"
    need "Password: "
    send "wrong\r"
    need "Login incorrect"
    need "login: "
    send "alice\r"
    need "Password: "
    send "alicepw\r"
    need "\\$ $"
    send "exit\r"
    need_eof
  '
}

@test "while inside there is a utmp record; afterwards there is none" {
  talk "door=$(door login login)" user=alice password=alicepw "$dialogue"'
    send "who\r"
    need "alice +pts/"
    send "exit\r"
    need_eof
  '
  poll 20 nobody_logged_in
}

nobody_logged_in() {
  [ -z "$(inside login who)" ]
}

@test "while inside there is a session of logind's; afterwards there is none" {
  talk "door=$(door trixie login)" user=alice password=alicepw "$dialogue"'
    send "loginctl --no-legend list-sessions\r"
    need "alice"
    need "pts/"
    send "exit\r"
    need_eof
  '
  poll 20 no_login_session
}

no_login_session() {
  [[ $(inside trixie 'loginctl --no-legend list-sessions') != *pts* ]]
}

@test "a guest without dbus has its login, too" {
  talk "door=$(door nodbus login)" user=alice password=alicepw "$dialogue"'
    send "exit\r"
    need_eof
  '
  matches "$output" 'user=alice'
}

@test "a guest without dbus has the other doors, too" {
  [ ! -e "$containers/nodbus/usr/bin/dbus-daemon" ]
  equal "$(inside nodbus 'id -u; pwd')" $'0\n/root'
  talk "door=$(door nodbus root-login)" '
    knock $door
    need "# $"
    send "tty; exit\r"
    need "/dev/pts/"
    need_eof
  '
  equal "$(narthex exec nodbus -- id -un)" root
  equal "$(narthex exec nodbus -u alice -- id -un)" alice
}

@test "util-linux's login works as Debian 12's does" {
  talk "door=$(door trixie login)" user=alice password=alicepw "$dialogue"'
    send "exit\r"
    need_eof
  '
  matches "$output" 'Debian GNU/Linux 13'
  matches "$output" 'size=24 80 user=alice'
}

@test "root-login: root's login shell on a terminal, no password" {
  talk "door=$(door login root-login)" '
    knock $door
    need "# $"
    send "PS1=; shopt -q login_shell && echo login=yes; echo term=\$TERM size=\$(stty size) tty=\$(tty) \$USER \$PWD\r"
    need "login=yes\r"
    need "term=linux size=24 80 tty=/dev/pts/\[0-9\]+ root /root\r"
    send "exit\r"
    need_eof
  '
}

@test "the prompt comes without the second that agetty waits" {
  local before pid
  before=$(guest_count login agetty)
  socat -u "unix:$(door login login)" "create:$BATS_TEST_TMPDIR/prompt" 3>&- &
  pid=$!
  poll 20 grep -qa 'login: $' "$BATS_TEST_TMPDIR/prompt"
  # who asks is login: agetty has shown the issue text and is gone
  equal_count login agetty "$before"
  kill "$pid"
}

@test "control-C reaches the program, control-D ends the shell" {
  talk "door=$(door login root-login)" '
    knock $door
    need "# $"
    send "PS1=\"prom\"\"pt: \"; trap \"echo got int\" INT; echo rea\"\"dy; cat; echo after cat\r"
    need "ready\r\n"
    send "text\r"
    need "text\r\ntext\r"
    send "\x03"
    need "prompt: $"
    send "\x04"
    need_eof
  '
}

@test "terminal in half-close: commands from a pipe run, and the session ends by itself" {
  run timeout 60 bash -c "printf 'PS1=\\necho mark \$((40+2))\\n' | socat -t 50 - unix:$(door login root-login)"
  equal "$status" 0
  matches "$output" 'mark 42'
}

@test "1 GiB through a terminal to a slow reader: bounded memory, no byte lost" {
  local out=$BATS_TEST_TMPDIR/out go=$BATS_TEST_TMPDIR/go pid size=$((1073741824 / (slow * slow)))
  mkfifo "$go"
  # what the terminal shows before the marker (prompt, echo) is not counted: the sum must be at least the bytes
  timeout 170 /build/tests/knock deaf "$(door login root-login)" 500000 \
    "stty raw -echo; PS1=; head -c $size /dev/zero; exit" <"$go" >"$out" 3>&- &
  pid=$!
  exec {hold}>"$go"
  poll 20 grep -q deaf "$out"
  memory_below login 16384
  echo go >&"$hold"
  exec {hold}>&-
  wait "$pid"
  echo "sum $(tail -n 1 "$out")"
  [ "$(tail -n 1 "$out")" -ge "$size" ]
  [ "$(tail -n 1 "$out")" -lt $((size + 4096)) ]
  memory_below login 16384
}

@test "64 MiB out of a raw terminal arrive unchanged" {
  local there
  inside login 'head -c 67108864 /dev/urandom >/root/random'
  there=$(inside login 'sha256sum </root/random')
  equal "$( (echo 'stty raw -echo; PS1=; clear=; printf "\nSTART\n"; cat /root/random; printf END; exit') |
    timeout 160 socat -t 150 - "unix:$(door login root-login)" |
    sed '1,/^START$/d' | head -c 67108864 | sha256sum)" "$there"
}

@test "a background job that holds the terminal does not hold the session" {
  talk "door=$(door login root-login)" '
    knock $door
    need "# $"
    send "PS1=; (trap \"\" HUP; echo rea\"\"dy; exec tail -f /dev/null) &\r"
    need "ready\r\n"
    send "exit\r"
    need_eof
  '
  # it was no end of the job that ended the session
  poll 20 equal_count login '^tail -f /dev/null' 1
  inside login 'for p in /proc/[0-9]*; do grep -qsx tail $p/comm && kill -KILL ${p#/proc/}; done; true'
}

@test "a client that goes away hangs its session up" {
  local marker=/root/hup-$RANDOM
  talk "door=$(door login root-login)" "marker=$marker" '
    knock $door
    need "# $"
    send "PS1=; sh -c \"trap \\\"touch $marker; exit\\\" HUP; echo rea\"\"dy; while :; do read x || :; done\"\r"
    need "ready\r\n"
    exec kill -KILL [exp_pid]
    need_eof
  '
  poll 20 test -e "$containers/login$marker"
}

@test "a client that goes away is no end of input: what reads to the end isn't told that it has all" {
  local marker=/root/eof-$RANDOM
  talk "door=$(door login root-login)" "marker=$marker" '
    knock $door
    need "# $"
    send "PS1=; echo rea\"\"dy; cat >/dev/null && touch $marker\r"
    need "ready\r\n"
    send "part of it\r"
    need "part of it\r\n"
    exec kill -KILL [exp_pid]
    need_eof
  '
  poll 20 equal_count login '^cat ' 0
  [ ! -e "$containers/login$marker" ]
}

@test "50 logins at once" {
  local i pids=() pid failed=0 ptys
  ptys=$(ptys_of_login)
  for ((i = 0; i < 50; i++)); do
    converse "door=$(door login login)" user=alice password=alicepw "set timeout 120"$'\n'"$dialogue"'
      send "exit\r"
      need_eof
    ' >"$BATS_TEST_TMPDIR/$i" 2>&1 3>&- &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do
    wait "$pid" || failed=$((failed + 1))
  done
  if [ "$failed" != 0 ]; then
    cat -v "$BATS_TEST_TMPDIR"/? "$BATS_TEST_TMPDIR"/?? | tail -n 60
  fi
  equal "$failed" 0
  equal "$(grep -l user=alice "$BATS_TEST_TMPDIR"/? "$BATS_TEST_TMPDIR"/?? | wc -l)" 50
  poll 20 ptys_at_most "$ptys"
}

ptys_of_login() {
  inside login 'ls /dev/pts | grep -vc ptmx'
}

# what an earlier test left may go meanwhile
ptys_at_most() {
  [ "$(ptys_of_login)" -le "$1" ]
}
