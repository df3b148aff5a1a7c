#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# -H: every verb on another host. The host is this one, behind a real sshd; what runs there is what is installed there.

load lib

template=$containers/.templates/server
config=/etc/ssh/sshd-remote
export HOME=/root

# The sshd of the guest "server", with the libraries that this host lacks.
install_sshd() {
  local file
  [ -x /usr/sbin/sshd ] || cp "$template/usr/sbin/sshd" /usr/sbin/
  for file in $(ldd /usr/sbin/sshd | sed -n 's/[[:space:]]*\([^ ]*\) => not found/\1/p'); do
    cp -L "$template/usr/lib/$(uname -m)-linux-gnu/$file" "/usr/lib/$(uname -m)-linux-gnu/"
  done
  getent passwd sshd >/dev/null || useradd --system --no-create-home --home-dir /run/sshd --shell /usr/sbin/nologin sshd
  getent passwd bob >/dev/null || useradd --create-home --shell /bin/bash --password '*' bob
}

setup_file() {
  install_sshd
  mkdir -p /run/sshd /root/.ssh /home/bob/.ssh
  rm -f /root/.ssh/*
  ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/remote_key <<<y
  ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519
  cp /root/.ssh/id_ed25519.pub /root/.ssh/authorized_keys
  cp /root/.ssh/id_ed25519.pub /home/bob/.ssh/authorized_keys
  chown -R bob: /home/bob/.ssh
  cat >$config <<'END'
Port 2200
ListenAddress 127.0.0.1
HostKey /etc/ssh/remote_key
PidFile none
UsePAM no
StrictModes no
END
  cat >/root/.ssh/config <<'END'
Host there locked busy
  HostName 127.0.0.1
  Port 2200
  StrictHostKeyChecking no
  UserKnownHostsFile /dev/null
  LogLevel ERROR
Host locked
  IdentityFile /nowhere
  IdentitiesOnly yes
  BatchMode yes
Host busy
  RemoteCommand echo never
  LocalForward 127.0.0.1:2200 127.0.0.1:1
  ExitOnForwardFailure yes
Host nobody-there
  HostName 127.0.0.1
  Port 2201
END
  systemd-run --quiet --collect --unit=remote-sshd /usr/sbin/sshd -D -e -f $config
  poll 20 ssh there true
  guest_up far </dev/null
  poll 20 narthex exec far -- true
}

teardown_file() {
  systemctl stop remote-sshd
  rm -rf /root/.ssh /home/bob/.ssh $config /etc/ssh/remote_key*
  guests_remove_all
}

# narthex with a deadline.
far() { # ARGUMENT…
  timeout $((60 * ease)) narthex "$@"
}

@test "exec: streams apart, end of input, exit status, 255 too" {
  local n
  run --separate-stderr far -H there exec far -- sh -c 'echo out; echo err >&2; exit 3'
  equal "$status" 3
  equal "$output" out
  # shellcheck disable=SC2154 # bats sets it
  equal "$stderr" err
  equal "$(printf 'a\nb' | far exec -H root@there far -- cat -A)" $'a$\nb'
  for n in 0 1 2 125 126 127 128 254 255; do
    run "-$n" far exec far -H there -- sh -c "exit $n"
    equal "$output" ''
  done
  run far -H there exec far -- sh -c 'kill -KILL $$'
  equal "$status" 137
}

@test "what ssh is to do in other sessions with the host is not done" {
  equal "$(far -H busy exec far -- echo here)" here
}

@test "8 MiB of random bytes there and back are the same" {
  head -c 8388608 /dev/urandom >"$BATS_TEST_TMPDIR/random"
  far -H there exec far -- cat <"$BATS_TEST_TMPDIR/random" >"$BATS_TEST_TMPDIR/back"
  cmp "$BATS_TEST_TMPDIR/random" "$BATS_TEST_TMPDIR/back"
}

@test "words arrive as they are, whatever the shell on the way" {
  local shell words=('' ' ' 'a b' $'new\nline' '*' '$HOME' '`id`' "it's" '"' '\' "\\'" '!!' '~' '#' 'ä' '%d' ';' '&' -- -H -x)
  run -0 far -H there exec far -- printf '<%s>' "${words[@]}"
  equal "$output" "$(printf '<%s>' "${words[@]}")"
  for shell in /bin/sh /bin/dash; do
    usermod --shell "$shell" root
    run far exec --host=there far -- printf '<%s>' "${words[@]}"
    usermod --shell /bin/bash root
    equal "$output" "$(printf '<%s>' "${words[@]}")"
  done
}

@test "options of the verb get there, -H may stand anywhere before the command" {
  equal "$(far exec -w /tmp far -H there -u alice -e A='b c' -- sh -c 'id -un; pwd; echo "$A"')" $'alice\n/tmp\nb c'
  equal "$(far exec -Hthere far -- pwd)" /
  equal "$(far exec far -w /tmp --host there -- sh -c 'pwd; echo $0' -H)" $'/tmp\n-H'
  # the caller's variable, who is here
  equal "$(FROM_HERE='over there' far exec -H there -e FROM_HERE far -- sh -c 'echo "$FROM_HERE"')" 'over there'
  equal "$(FROM_HERE=x far exec -H there far -eFROM_HERE -- sh -c 'echo "$FROM_HERE"')" x
  run -2 far exec -H there -e NOT_HERE far -- true
}

@test "a terminal: size, resize, keys, exit status, and it is restored" {
  local d=$BATS_TEST_TMPDIR
  talk dir="$d" 'spawn -noecho bash -c {stty rows 33 cols 101; stty -g >'"$d"'/before; narthex -H there exec far -t -- sh -c "stty size; tty; trap \"stty size\" WINCH; echo ready; while :; do tail -f /dev/null & wait \$!; done"; echo status $?; stty -g >'"$d"'/after; echo end}
    need {33 101}; need {/dev/pts/[0-9]+}; need ready
    exec stty rows 41 cols 111 <$spawn_out(slave,name)
    need {41 111}
    send "\x03"
    need {status 130}; need end; need_eof'
  cmp "$d/before" "$d/after"
  talk 'spawn -noecho narthex -H there shell far
    need {# }; send "tty; hostname\r"; need {/dev/pts/[0-9]+}; need far; need {# }; send "exit 7\r"; need_eof
    if {[lindex [wait] 3] != 7} { exit 96 }'
  # on a terminal, without one for the command: keys still reach it
  talk 'spawn -noecho bash -c {narthex -H there exec far -- sh -c "test -t 0 || echo none; echo ready; exec tail -f /dev/null"; echo status $?}
    need none; need ready; send "\x03"; need {status 130}; need_eof'
  # its output apart from its errors, when these go elsewhere
  talk dir="$d" 'spawn -noecho bash -c {narthex -H there exec far -- sh -c "echo out; echo err >&2" 2>'"$d"'/err; echo status $?}
    need out; need {status 0}; need_eof'
  equal "$(cat "$d/err")" err
  # for others a script is no terminal
  equal "$(far -H there shell far <<<'tty; id -u')" $'not a tty\n0'
}

@test "login over ssh, as a user without root there" {
  talk 'spawn -noecho narthex login -H bob@there far
    need {login: }; send "alice\r"; need {assword: }; send "alicepw\r"; need {[$] }; send "id -un; exit\r"; need alice; need_eof'
}

@test "a terminal is restored when ssh is killed" {
  local d=$BATS_TEST_TMPDIR
  talk 'spawn -noecho bash -c {stty -g >'"$d"'/before; narthex -H there exec far -t -- sh -c "echo ready; exec tail -f /dev/null"; echo status $?; stty -g >'"$d"'/after; echo end}
    need ready
    exec pkill -KILL -f {^ssh -t .*exec far -t}
    need {status 137}; need end; need_eof'
  cmp "$d/before" "$d/after"
}

@test "every other verb" {
  guest_tree distant
  guest_conf distant </dev/null
  far -H there start distant
  matches "$(far list -H there)" 'distant +running'
  run -0 far -H there status --json distant
  matches "$output" '"name":"distant","state":"running"'
  far reboot -H there distant
  far restart --host there distant
  far -H there enable distant
  far -H there disable distant
  echo content >"$BATS_TEST_TMPDIR/file"
  far -H there cp "$BATS_TEST_TMPDIR/file" distant:/root/file
  equal "$(far -H there exec distant -- cat /root/file)" content
  poll 20 distant_logs
  far -H there kill distant
  run -1 far -H there status distant
  matches "$output" 'distant: stopped'
  run -125 far -H there show-ip distant
  matches "$output" "shares the host's network"
  far -H there check
  far -H there destroy --yes distant
  [ ! -e "$containers/distant" ]
  far -H there create distant --root=/srv
  far -H there destroy --yes distant
  matches "$(far -H there run --root / --ephemeral --private-users="$([ "$flavour" = userns ] && echo pick || echo no)" -- sh -c 'echo in it; exit 0' 2>&1)" 'in it'
  matches "$(far -H there help exec)" 'Usage: narthex exec'
}

# Its name is in what its console says last, once it has booted.
distant_logs() {
  far -H there logs -n 5 distant | grep -q distant
}

@test "errors are those of there; ssh's own failure is 125" {
  run -125 far -H there exec none -- true
  matches "$output" "there is no container 'none'"
  run -2 far -H there exec far --no-such-option -- true
  run -127 far -H there exec far -- no-such-command
  matches "$output" "cannot execute 'no-such-command'"
  run -125 far -H nobody-there exec far -- true
  matches "$output" 'refused'
  matches "$output" "narthex: ssh can't connect to 'nobody-there'"
  run -125 far -H locked list
  matches "$output" 'Permission denied'
  matches "$output" "narthex: ssh can't connect to 'locked'"
  run -125 env PATH=/nowhere "$(command -v narthex)" -H there list
  matches "$output" 'cannot run ssh: No such file'
  run -2 far -H -oProxyCommand=x list
  matches "$output" 'is no host'
  run -2 far -H there
  matches "$output" '-H needs a host and a verb'
}

@test "over a connection that is shared 255 is the command's, too" {
  ssh -M -N -f -S "$BATS_TEST_TMPDIR/mux" there </dev/null >/dev/null 2>&1 3>&-
  sed -i "1a ControlPath $BATS_TEST_TMPDIR/mux" /root/.ssh/config
  run far -H there exec far -- sh -c 'echo shared; exit 255'
  ssh -O exit there 2>/dev/null
  sed -i '/ControlPath/d' /root/.ssh/config
  equal "$status $output" '255 shared'
}

@test "signals are handed on to ssh, whose end is ours" {
  local pid out=$BATS_TEST_TMPDIR/out
  narthex -H there exec far -- sh -c 'echo ready; exec tail -f /dev/null' </dev/null >"$out" 3>&- &
  pid=$!
  poll 20 grep -q ready "$out"
  kill -TERM $pid
  wait $pid && status=0 || status=$?
  # ssh says that a signal has ended it by its own status
  matches "$status" '^(143|255)$'
}

no_tail() {
  [ "$(guest_count far 'tail -n 77 -f')" = 0 ]
}

@test "a command ends with its connection, though it says nothing" {
  local pid out=$BATS_TEST_TMPDIR/out
  narthex -H there exec far -- sh -c 'echo ready; exec tail -n 77 -f /dev/null' </dev/null >"$out" 2>&1 3>&- &
  pid=$!
  poll 20 grep -q ready "$out"
  not no_tail
  pkill -KILL -f '^ssh -T .*tail -n 77'
  wait $pid && status=0 || status=$?
  equal "$status" 137
  poll 20 no_tail
}

@test "a connection that is cut takes its terminal's session along, and leaves a kept one" {
  talk 'spawn -noecho bash -c {narthex -H there exec far -t -- sh -c "echo ready; exec tail -n 78 -f /dev/null"; echo status $?}
    need ready; exec pkill -KILL -f {^ssh -t .*tail -n 78}; need {status 137}; need_eof'
  poll 20 equal_count far 'tail -n 78' 0
  talk 'spawn -noecho narthex -H there shell --keep far
    need {# }; send "HERE=value; echo re\"\"ady\r"; need "ready\r\n"; need {# }; exec pkill -KILL -f {^ssh -t .*shell --keep far}; need_eof'
  poll 20 kept_is_left
  talk 'spawn -noecho narthex -H there attach far
    need {# }; send "echo the \$HERE\r"; need {the value}; send "exit 6\r"; need_eof
    if {[lindex [wait] 3] != 6} { exit 96 }'
}

kept_is_left() {
  narthex status far --json | grep -q '"kept_sessions":\[{"id":1,"user":"root","since_usec":[0-9]*,"attached":false'
}
