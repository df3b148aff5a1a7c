#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Sessions that are kept: narthex shell --keep, narthex attach.

load lib

setup_file() {
  guest_tree kp
  # Debian's smallest tree has no program that draws on a whole screen
  cp "$(command -v less)" "$containers/kp/root/less"
  seq -f 'line %g' 300 >"$containers/kp/root/lines"
  cp -r /src/fuzz/corpus/screen "$containers/kp/root/bytes"
  guest_conf kp </dev/null
  guest_start kp
  poll 20 narthex exec kp -- true
}

teardown_file() {
  guests_remove_all
}

# Ends what a failed test has left.
teardown() {
  explain_failure
  if [ -e /run/narthex/kp ]; then
    pkill -KILL -f '^narthex-keep' || true
    poll 20 no_keeper
  fi
}

no_keeper() {
  not pgrep -f '^narthex-keep'
}

lists_one() {
  [[ $(narthex list) =~ kp\ .*\ 1\  ]]
}

# What narthex status says of its sessions.
kept() { # PATTERN
  narthex status kp --json | grep -qE "$1"
}

# Begins one, runs a command line in it and leaves it.
leave_one() { # [COMMAND]
  talk command="${1:-true}" 'spawn -noecho narthex shell --keep kp
    need {# }; send "$command\r"; send "echo re\"\"ady\r"; need "ready\r\n"; need {# }; send "\x1d\x1d\x1d"; need {left the session: .narthex attach kp/[0-9]+.}; need_eof'
  poll 20 kept '"attached":false'
}

@test "what is left goes on: variables, the screen, the exit status; the terminal is restored" {
  local d=$BATS_TEST_TMPDIR
  talk 'spawn -noecho bash -c {stty rows 33 cols 101; stty -g >'"$d"'/before; narthex shell --keep kp; echo status $?; stty -g >'"$d"'/after; echo end}
    need {# }; send "HERE=value; stty size; tty; printf \"\\033\\1331;31mcol\"\"ored\\033\\133m\\n\"\r"; need {33 101}; need {/dev/pts/[0-9]+}; need colored; need {# }
    send "\x1d\x1d\x1d"; need {left the session: .narthex attach kp/1.}; need {status 0}; need end; need_eof'
  cmp "$d/before" "$d/after"
  poll 20 kept '"kept_sessions":\[\{"id":1,"user":"root","since_usec":[0-9]+,"attached":false,"status":null\}\]'
  poll 20 lists_one
  matches "$(narthex status kp)" 'kp/1 +root +[0-9]+s +detached'
  talk 'spawn -noecho bash -c {stty rows 41 cols 90; stty -g >'"$d"'/before; narthex attach kp; echo status $?; stty -g >'"$d"'/after; echo end}
    need {33 101}; need {\x1b\[0;1;31mcolored}; send "\rstty size; echo the \$HERE\r"; need {41 90}; need {the value}; need {# }
    send "exit 5\r"; need {status 5}; need end; need_eof'
  cmp "$d/before" "$d/after"
  poll 20 kept '"kept_sessions":\[\]'
  poll 20 no_keeper
  equal "$(ls /run/narthex/kp/kept)" ''
}

@test "a program that has the whole screen is drawn again, and the shell's screen when it ends" {
  talk 'spawn -noecho narthex shell --keep kp
    need {# }; send "echo be\"\"fore\r"; need before; need {# }; send "~/less lines\r"; need {\x1b\[\?1049h}; need {line 20}; send "/line 250\r"; need {line 272}
    send "\x1d\x1d\x1d"; need {\x1b\[\?1049l}; need {left the session}; need_eof'
  talk 'spawn -noecho narthex attach kp/1
    need {\x1b\[\?1049h}; need {\x1b\[1H[^\n]*line 250}; need {line 272}
    send "g"; need {line 1\r?\n}; send "q"; need {\x1b\[\?1049l}; need {echo be""fore}; need {before}
    send "exit\r"; need_eof'
}

@test "a client that is killed leaves it; whoever attaches takes it over" {
  talk 'spawn -noecho narthex shell --keep kp
    need {# }; send "HERE=value\r"; need {# }; exec kill -KILL [exp_pid]; need_eof'
  poll 20 kept '"attached":false'
  talk 'spawn -noecho narthex attach kp
    need {# }; send "echo first \$HERE\r"; need {first value}
    set first $spawn_id
    spawn -noecho narthex attach kp/1
    need {first value}; send "echo second \$HERE\r"; need {second value}
    set second $spawn_id
    set spawn_id $first; need {another .narthex attach. has taken over the session kp/1}; need_eof
    if {[lindex [wait -i $first] 3] != 125} { exit 96 }
    set spawn_id $second
    exec kill -TERM [exp_pid -i $second]; need {left the session}; need_eof
    if {[lindex [wait -i $second] 3] != 143} { exit 95 }'
  poll 20 kept '"attached":false'
}

@test "what ends while nobody looks is told to who comes next" {
  leave_one '(until [ -e /tmp/go ]; do read -rt 0.1 <> <(:); done; echo last words; kill -KILL $$) &'
  narthex exec kp -- touch /tmp/go
  poll 20 kept '"status":137'
  matches "$(narthex status kp)" 'kp/1 .*ended with status 137'
  talk 'spawn -noecho narthex attach kp
    need {last words}; need_eof; if {[lindex [wait] 3] != 137} { exit 96 }'
  poll 20 kept '"kept_sessions":\[\]'
}

@test "which one: the only one, or by its number; what can't be, is said" {
  run -2 narthex attach kp
  matches "$output" 'needs a terminal'
  run -2 narthex shell --keep kp </dev/null
  matches "$output" 'keep needs a terminal'
  talk 'spawn -noecho narthex attach kp
    need {has no kept session: .narthex shell --keep kp. begins one}; need_eof; if {[lindex [wait] 3] != 125} { exit 96 }
    spawn -noecho narthex attach kp/0; need {which session}; need_eof
    spawn -noecho narthex attach kp/7; need {no kept session 7}; need_eof
    spawn -noecho narthex attach none; need {not running}; need_eof
    spawn -noecho narthex attach .kp; need {not the name}; need_eof
    spawn -noecho narthex shell --keep --root=/ ; need {--keep and --root exclude}; need_eof
    spawn -noecho narthex shell --keep -u nobody-here kp; need {no such user}; need_eof; if {[lindex [wait] 3] != 125} { exit 95 }'
  leave_one 'A=one'
  leave_one 'A=two'
  talk 'spawn -noecho narthex attach kp
    need {2 kept sessions}; need {kp/1: root, since 2}; need {kp/2: root, since 2}; need_eof
    spawn -noecho narthex attach kp/2; need {# }; send "echo is \$A\r"; need {is two}; send "exit\r"; need_eof'
}

@test "others than root see and reach nothing" {
  leave_one
  talk 'spawn -noecho setpriv --reuid=65534 --regid=65534 --clear-groups narthex attach kp
    need {no permission for the kept sessions}; need_eof; if {[lindex [wait] 3] != 125} { exit 96 }
    spawn -noecho setpriv --reuid=65534 --regid=65534 --clear-groups narthex attach kp/1
    need {no permission for the kept sessions}; need_eof'
  run setpriv --reuid=65534 --regid=65534 --clear-groups socat -u unix-connect:/run/narthex/kp/kept/1,type=5 -
  matches "$output" 'Permission denied'
  run setpriv --reuid=65534 --regid=65534 --clear-groups narthex status kp --json
  matches "$output" '"kept_sessions":null'
  # with the directory open the keeper itself looks
  chmod 755 /run/narthex/kp/kept
  chmod 666 /run/narthex/kp/kept/1
  talk 'spawn -noecho setpriv --reuid=65534 --regid=65534 --clear-groups narthex attach kp/1
    need {cannot attach to the session kp/1|lost the session kp/1}; need_eof'
  chmod 700 /run/narthex/kp/kept
}

@test "a keeper has no powers, is in the container's unit, and is bounded" {
  local mib=${NARTHEX_KEEP_MIB:-4} pid
  leave_one "(yes 'some text of this length, which is not all of a line' | head -c ${mib}M; echo all of it) &"
  pid=$(pgrep -f '^narthex-keep')
  matches "$(cat "/proc/$pid/cgroup")" '0::/machine.slice/container-kp.service/supervisor'
  matches "$(cat "/proc/$pid/status")" $'CapEff:\t0+\n'
  [ -n "$san" ] || matches "$(cat "/proc/$pid/status")" $'Seccomp:\t2\n'
  equal "$(readlink "/proc/$pid/root")" /run/narthex/kp/kept
  poll 60 quiet_for_once
  talk 'spawn -noecho narthex attach kp
    need {some text of this length}; need {all of it}; send "\x1d\x1d\x1d"; need {left the session}; need_eof'
  [ -n "$san" ] || [ "$(awk '/^VmHWM/ { print $2 }' "/proc/$pid/status")" -lt 6144 ]
}

# The writer has ended.
quiet_for_once() {
  equal_count kp 'yes some text' 0 2>/dev/null
}

@test "a keeper that is killed takes its session along, and its number is free again" {
  leave_one 'sleep_for_ever() { exec tail -n 88 -f /dev/null; }; sleep_for_ever & true'
  poll 20 equal_count kp '^tail -n 88' 1
  pkill -KILL -f '^narthex-keep'
  poll 20 equal_count kp 'tail -n 88' 0
  poll 20 kept '"kept_sessions":\[\]'
  leave_one
  kept '"id":1'
}

@test "bytes of which libvterm dies end no session, seen or not" {
  local pid
  cat >"$containers/kp/root/feed" <<'EOT'
stty raw -echo
printf 'waiting\r\n'
until [ -e ~/go ]; do read -rt 0.1 <> <(:); done
for f in ~/bytes/*; do cat "$f"; done
# what was answered is no command
while read -rt 0.2 -n 1; do :; done
printf '\030\033\\\033c'
stty sane
echo all of it
EOT
  talk 'spawn -noecho narthex shell --keep kp
    need {# }; send "bash ~/feed\r"; need {waiting}; send "\x1d\x1d\x1d"; need {left the session}; need_eof'
  pid=$(pgrep -f '^narthex-keep')
  touch "$containers/kp/root/go"
  poll 20 equal_count kp 'bash /root/feed' 0
  talk 'spawn -noecho narthex attach kp
    need {all of it}; send "bash ~/feed\r"; need {all of it}; send "echo al\"\"ive\r"; need {alive}
    send "\x1d\x1d\x1d"; need {left the session}; need_eof'
  equal "$(pgrep -f '^narthex-keep')" "$pid"
}

@test "a keeper that crashes ends its session with a word, and no other" {
  local d=$BATS_TEST_TMPDIR pid
  leave_one 'A=other'
  talk 'spawn -noecho bash -c {stty -g >'"$d"'/before; narthex shell --keep kp; echo status $?; stty -g >'"$d"'/after; echo end}
    need {# }; exec pkill -SEGV -n -f ^narthex-keep
    need {lost the session}; need {status 125}; need end; need_eof'
  cmp "$d/before" "$d/after"
  poll 20 kept '"kept_sessions":\[\{"id":1,[^}]*\}\]'
  matches "$(narthex list)" 'kp .* 1 '
  talk 'spawn -noecho narthex attach kp
    need {# }; send "echo the \$A\r"; need {the other}; send "exit\r"; need_eof'
}

@test "at a reboot and a stop of the container its sessions end, and nothing of them is left" {
  local d=$BATS_TEST_TMPDIR
  leave_one
  narthex reboot kp
  poll 20 no_keeper
  poll 20 narthex exec kp -- true
  leave_one
  leave_one '(until [ -e /tmp/go ]; do read -rt 0.1 <> <(:); done; kill -KILL $$) &'
  narthex exec kp -- touch /tmp/go
  poll 20 kept '"status":137'
  talk 'spawn -noecho bash -c {stty -g >'"$d"'/before; narthex shell --keep kp; echo status $?; stty -g >'"$d"'/after; echo end}
    need {# }; exec systemctl stop container-kp
    need {lost the container|ends the session}; need {status 125}; need end; need_eof'
  cmp "$d/before" "$d/after"
  poll 20 no_keeper
  [ ! -e /run/narthex/kp ]
  none_left kp
}
