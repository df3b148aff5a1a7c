#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# A guest without systemd: busybox's init starts the agent with --listen.

load lib

setup_file() {
  guest_tree box busybox
  sed -i 's|narthex-agent .*|& --listen exec=/var/lib/exec.socket|' "$containers/box/etc/inittab"
  guest_conf box </dev/null
  guest_start box
}

teardown_file() {
  guests_remove_all
}

@test "root shell" {
  poll 20 test -S "$(door box root-shell)"
  equal "$(inside box 'id -u; pwd')" $'0\n/root'
}

@test "modes of the doors" {
  equal "$(stat -c %a "$(door box login)" "$(door box root-login)" "$(door box root-shell)" "$(door box exec)" | tr '\n' ' ')" '666 600 600 600 '
}

@test "narthex exec, as root, as another user, and where there is no PAM" {
  equal "$(narthex exec --root "$containers/box" -- sh -c 'id -u; pwd')" $'0\n/'
  equal "$(narthex exec --root "$containers/box" -u alice -- sh -c 'id -u; echo $HOME')" $'1000\n/home/alice'
  equal "$(narthex exec --root "$containers/box" -u alice --login -- pwd)" /home/alice
  run narthex exec --root "$containers/box" -u bob -- true
  equal "$status" 125
}

@test "login with a password" {
  talk "door=$(door box login)" '
    knock $door
    need "login: $"
    send "alice\r"
    need "Password: "
    send "alicepw\r"
    need "\\$ "
    send "id -un; stty size; exit\r"
    need "alice\r"
    need "24 80"
    need_eof
  '
}

@test "root login" {
  talk "door=$(door box root-login)" '
    knock $door
    need "# "
    send "tty; exit\r"
    need "/dev/pts/"
    need_eof
  '
}

@test "16 MiB out and in" {
  local here pid fifo=$BATS_TEST_TMPDIR/fifo
  head -c 16777216 /dev/urandom >"$BATS_TEST_TMPDIR/random"
  here=$(sha256sum <"$BATS_TEST_TMPDIR/random")
  # busybox's shell reads ahead: what follows its command may come only when cat has taken over
  mkfifo "$fifo"
  timeout 60 socat -t 50 - "unix:$(door box root-shell)" <"$fifo" >"$BATS_TEST_TMPDIR/out" 3>&- &
  pid=$!
  exec {feed}>"$fifo"
  echo 'echo ready; exec cat' >&"$feed"
  poll 20 grep -q ready "$BATS_TEST_TMPDIR/out"
  poll 20 cat_reads
  cat "$BATS_TEST_TMPDIR/random" >&"$feed"
  exec {feed}>&-
  wait "$pid"
  equal "$(tail -c +7 "$BATS_TEST_TMPDIR/out" | sha256sum)" "$here"
}

cat_reads() {
  guest_pids box | sed 's|.*|/proc/&/comm|' | xargs grep -qsx cat
}

@test "1,000 commands one after another" {
  timeout 150 /build/tests/knock repeat "$(door box root-shell)" $((1000 / slow)) 'echo $((6*7))' 42
}

@test "the agent takes all the descriptors that it may have; a session has as many as init" {
  local init soft hard
  init=$(inside box 'sed -n "s/^Max open files *\([0-9]*\).*/\1/p" /proc/1/limits')
  read -r soft hard _ < <(inside box 'cat /proc/$(pidof narthex-agent)/limits' | sed -n 's/^Max open files *//p')
  [ "$soft" -gt "$init" ]
  equal "$soft" "$hard"
  equal "$(inside box 'ulimit -Sn')" "$init"
}

@test "a killed agent is started again by init" {
  inside box 'kill -9 $(pidof narthex-agent)' || true
  poll 20 answers
}

answers() {
  [ "$(inside box 'echo alive')" = alive ]
}

@test "reboot, then poweroff" {
  inside box 'touch /run/before'
  bash -c "echo reboot | socat unix:$(door box root-shell) -"
  poll 30 rebooted
  bash -c "echo poweroff | socat unix:$(door box root-shell) -"
  poll 30 gone
  equal "$(systemctl show -P Result container-box)" success
  none_left box
}

rebooted() {
  [ "$(inside box 'test -e /run/before || echo fresh')" = fresh ]
}

gone() {
  [ "$(systemctl show -P ActiveState container-box)" = inactive ]
}
