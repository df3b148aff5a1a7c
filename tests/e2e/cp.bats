#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# narthex cp: both ways, and never out of the container.

load lib

setup_file() {
  guest_up box busybox </dev/null
  poll 20 test -S "$(door box root-shell)"
}

teardown_file() {
  guests_remove_all
}

setup() {
  cd "$BATS_TEST_TMPDIR" || return 1
}

@test "a file in and out of a running container, byte for byte" {
  head -c 3000000 /dev/urandom >file
  narthex cp file box:/root/
  equal "$(inside box 'stat -c "%u %g %a" /root/file; md5sum </root/file')" \
    $'0 0 644\n'"$(md5sum <file)"
  inside box 'echo from inside >/root/answer; chown 1000:1000 /root/answer; chmod 4755 /root/answer'
  narthex cp box:/root/answer box:root/file .
  equal "$(cat answer)" 'from inside'
  equal "$(stat -c '%u %g %a' answer)" '0 0 755'
  cmp file "$containers/box/root/file"
}

@test "directories, with links as links, owners and all with --archive" {
  mkdir -p d/sub d/empty
  echo x >d/sub/x
  ln -s /etc/shadow d/link
  chown -R 1000:1000 d
  mkfifo -m 600 d/fifo
  chmod 2750 d/sub
  narthex cp -a d box:/home/alice
  equal "$(inside box 'cd /home/alice/d && stat -c "%n %u %a" . sub sub/x fifo; readlink link')" \
    $'. 1000 755\nsub 1000 2750\nsub/x 1000 644\nfifo 0 600\n/etc/shadow'
  narthex cp --archive box:/home/alice/d back
  equal "$(cd back && find . | sort)" "$(cd d && find . | sort)"
  equal "$(stat -c '%u %a' back/sub)" '1000 750'
  equal "$(readlink back/link)" /etc/shadow
  run -125 --separate-stderr narthex cp box:/home/alice/d plain
  matches "$stderr" "box:/.*: 'd/fifo' is not copied: it is a device or FIFO"
  equal "$(cat plain/sub/x)" x
}

@test "names decide where it goes, as with cp" {
  mkdir d && echo 1 >d/one && echo 2 >two
  narthex cp d box:/root/new
  equal "$(inside box 'cat /root/new/one')" 1
  narthex cp d box:/root/slash//
  equal "$(inside box 'cat /root/slash/one')" 1
  narthex cp box:/root/slash ./out/
  equal "$(cat out/one)" 1
  narthex cp d box:/root/new
  equal "$(inside box 'cat /root/new/d/one')" 1
  narthex cp d/. box:/root/new/d/../deep
  equal "$(inside box 'cat /root/new/deep/one')" 1
  narthex cp d two box:/root/new/deep
  equal "$(inside box 'cat /root/new/deep/d/one /root/new/deep/two')" $'1\n2'
  narthex cp two box:/root/renamed
  equal "$(inside box 'cat /root/renamed')" 2
  echo colon >a:b
  narthex cp ./a:b box:/root
  equal "$(inside box 'cat /root/a:b')" colon
  narthex cp box:/root/a:b box:/root/c
  equal "$(inside box 'cat /root/c')" colon
}

@test "sparse files stay sparse" {
  truncate -s 300M sparse && echo end >>sparse
  narthex cp sparse box:/root/sparse
  equal "$(stat -c %s "$containers/box/root/sparse")" $((300 * 1024 * 1024 + 4))
  [ "$(stat -c %b "$containers/box/root/sparse")" -lt 200 ]
}

@test "a link of the guest's leads nowhere but into the guest" {
  # /tmp is the guest's own
  mkdir /var/lib/cp-host
  cd /var/lib/cp-host
  echo host >canary
  inside box "rm -rf /root/l; ln -s $PWD /root/l; ln -s ../../../../../../..$PWD/canary /root/up; mkdir -p $PWD; echo guest >$PWD/canary"
  narthex cp box:/root/l/canary out
  equal "$(cat out)" guest
  narthex cp box:/root/up up
  [ -L up ]
  echo new >new
  narthex cp new box:/root/l/canary
  equal "$(cat canary)" host
  equal "$(cat "$containers/box$PWD/canary")" new
  narthex cp new box:/root/up
  equal "$(cat canary)" host
  equal "$(inside box 'cat /root/up')" new
  rm -r /var/lib/cp-host
}

@test "a guest that exchanges directories and links all the time gets and gives nothing" {
  mkdir -p secret in/d && echo canary >secret/canary && echo evil >in/d/evil
  inside box "mkdir -p /root/race/d; ln -s $PWD/secret /root/race/l; echo x >/root/race/d/x
    (cd /root/race; while [ ! -e /root/enough ]; do mv d t; mv l d; mv t l; mv d t; mv l d; mv t l; done) >/dev/null 2>&1 </dev/null &"
  local end=$((SECONDS + 4))
  while [ "$SECONDS" -lt "$end" ]; do
    rm -rf out
    narthex cp box:/root/race out 2>/dev/null || true
    narthex cp box:/root/race/d/canary out/named 2>/dev/null || true
    [ -z "$(find out -name canary -o -name named)" ] || fail 'the canary came out'
    narthex cp in/d box:/root/race 2>/dev/null || true
    narthex cp in/d/evil box:/root/race/d/evil 2>/dev/null || true
  done
  inside box 'touch /root/enough'
  equal "$(find secret -type f)" secret/canary
  equal "$(cat secret/canary)" canary
}

@test "what is mounted in a running container is refused, with a word why" {
  echo x >x
  run -125 --separate-stderr narthex cp x box:/tmp/x
  matches "$stderr" '/tmp is mounted in the running container'
  run -125 --separate-stderr narthex cp box:/proc/1/environ .
  matches "$stderr" 'cannot open|mounted'
}

@test "a container that doesn't run, and a tree of no container" {
  guest_tree still busybox
  guest_conf still </dev/null
  echo x >x
  narthex cp x still:/etc/x
  equal "$(cat "$containers/still/etc/x")" x
  narthex cp --root "$containers/still" :/etc/x y
  equal "$(cat y)" x
  narthex destroy --yes still
}

@test "an ephemeral container: owners are those that it sees" {
  printf '[Exec]\nEphemeral=yes\n' | guest_up brief busybox
  poll 20 test -S /run/narthex/brief/root/var/lib/root-shell.socket
  brief() { timeout 60 socat -t 50 - unix:/run/narthex/brief/root/var/lib/root-shell.socket <<<"$1"; }
  echo x >x
  chown 1000:1000 x
  narthex cp x brief:/root/plain
  narthex cp -a x brief:/root/archive
  equal "$(brief 'stat -c "%u %g" /root/plain /root/archive; cat /root/plain; chown 7:8 /root/plain')" $'0 0\n1000 1000\nx'
  [ ! -e "$containers/brief/root/plain" ]
  narthex cp -a brief:/root/plain back
  equal "$(stat -c '%u %g' back)" '7 8'
  guest_remove brief
}

@test "an interrupted copy leaves no half file" {
  head -c 20M /dev/urandom >big
  # in the middle of its data, however fast that goes
  export ASAN_OPTIONS=detect_leaks=0
  run env --default-signal=INT strace -f -o trace -e trace=copy_file_range,pwrite64 -e inject=copy_file_range,pwrite64:signal=SIGINT:when=2 \
    narthex cp big box:/root/big
  grep -q 'INJECTED\|SIGINT' trace
  equal "$status" 130
  [ ! -e "$containers/box/root/big" ]
  equal "$(find "$containers/box/root" -name '.narthex-cp-*')" ''
}

@test "no device, FIFO or /dev/stdout of the host becomes a file" {
  local f
  mknod null c 1 3
  mkfifo fifo
  ln -s /proc/self/fd/1 stdout
  ln -s null to-null
  for f in null fifo stdout to-null; do
    run -125 --separate-stderr bash -c "narthex cp box:/etc/passwd $f >out"
    equal "$stderr" "narthex: cp: $f is a device, FIFO or socket, which a copy would replace: use 'narthex exec … cat'"
  done
  [ -c null ] && [ -p fifo ] && [ -L stdout ] && [ -L to-null ]
  # another link is replaced, as a file is
  ln -s nowhere link
  narthex cp box:/etc/passwd link
  [ -f link ] && [ ! -L link ]
}

@test "each mistake has its message" {
  local message args
  echo x >x
  mkdir y
  while IFS='|' read -r status message args; do
    # shellcheck disable=SC2086
    run "-$status" --separate-stderr narthex cp $args
    matches "$stderr" "$message"
  done <<'END'
2|usage|x
2|neither .* is in a container|x y
125|there is no container 'bxo'; did you mean 'box'|x bxo:/root
125|cp: box:/nowhere: 'nowhere' is not copied: No such file|box:/nowhere .
125|cannot open box:/nowhere/x: No such file|box:/nowhere/x .
125|cannot copy to box:/nowhere/x: No such file|x box:/nowhere/x
125|cannot copy to box:/etc/passwd/: Not a directory|x box:/etc/passwd/
125|cannot copy to box:/root/none: No such file|x x box:/root/none
125|cannot copy to box:/root/none/: No such file|x box:/root/none/
125|'y' is not copied: what is in its place at the target is no directory|y box:/etc/passwd
2|goes with --root|x :/root
2|there is no option|--arhcive x box:/
END
}

# What a terminal was shown has no control byte but those of the bar, which is drawn again and again.
only_the_bar() { # WHAT
  matches "$output" "$1"$'[^\r\n]*(#|iB)'
  only_text
}

only_text() {
  printf '%s' "${output//$'\r\e[K'/}" | tr -d '\r\n' >shown
  not env LC_ALL=C grep -qaP '[\x00-\x1f\x7f]|\xc2[\x80-\x9f]' shown || fail "$(cat -v shown)"
}

@test "no control byte of a guest's names is shown on a terminal, beside a progress bar neither" {
  # what looks escaped already, is escaped, too: each verb does it itself, before the log makes any line harmless
  local evil=$'\e]0;evil\a\e[2J\u009b31m\b\\x41' escaped='evil\\x07\\x1b\[2J\\xc2\\x9b31m\\x08\\\\x41'
  mkdir -p "$containers/box/root/evil/$evil"
  head -c 1000000 /dev/zero >"$containers/box/root/evil/$evil/big$evil"
  mkfifo "$containers/box/root/evil/$evil/fifo$evil"
  mknod "$containers/box/root/evil/$evil/tty$evil" c 4 0
  talk 'spawn -noecho narthex cp box:/root/evil out; need {is not copied}; need_eof'
  matches "$output" "$escaped"
  only_the_bar copying
  talk name="$evil/big$evil" 'spawn -noecho narthex cp box:/root/evil/$name one; need_eof'
  only_the_bar copying
  tar -C "$containers/box/root/evil" -cf evil.tar . --transform "s,^\./,../x," 2>/dev/null
  talk 'spawn -noecho narthex create evil --from evil.tar; need {cannot unpack}; need_eof'
  matches "$output" "$escaped"
  only_the_bar unpacking
  tar -C "$containers/box/root/evil" -cf evil.tar .
  talk 'spawn -noecho narthex create evil --from evil.tar; need_eof'
  only_the_bar unpacking
  mount --bind /dev/null "$containers/evil/$evil/big$evil"
  talk 'spawn -noecho narthex destroy --yes evil; need {something is mounted}; need_eof'
  umount "$containers/evil/$evil/big$evil"
  matches "$output" "$escaped"
  only_text
  narthex destroy --yes evil
}
