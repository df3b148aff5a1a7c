#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The command line of narthex itself: help, its errors, completion.

load lib

src=$(realpath "$BATS_TEST_DIRNAME/../..")

@test "help and version" {
  run -0 narthex help
  matches "$output" '^Usage: narthex VERB'
  equal "$(narthex --help)" "$output"
  run -0 narthex help run
  matches "$output" '--ephemeral'
  equal "$(narthex run --help)" "$output"
  run -0 narthex --version
  matches "$output" '^narthex [0-9]'
  local words
  for words in help --help --version 'help run' 'exec --help'; do
    # shellcheck disable=SC2086 # words
    run -125 bash -c 'narthex "$@" 2>&1 >/dev/full' - $words
    matches "$output" 'cannot write to standard output'
  done
}

@test "a wrong command line is status 2, and says what may have been meant" {
  run -2 narthex
  matches "$output" '^Usage: narthex VERB'
  run -2 narthex rum
  matches "$output" "did you mean 'run'"
  run -2 narthex help chek
  matches "$output" "did you mean 'check'"
  run -2 narthex help run check
  run -2 narthex run --ephemerl
  matches "$output" 'did you mean --ephemeral'
  run -2 narthex run --root
  matches "$output" 'needs an argument'
  run -2 narthex run --ephemeral -- true
  matches "$output" 'which tree'
  run -2 narthex run --name .. -- true
  run -2 narthex run --root / --setenv NO_SUCH_VARIABLE -- true
}

@test "what an option lacks, or which there is not, is said of the option" {
  local words wanted
  while IFS='|' read -r words wanted; do
    # shellcheck disable=SC2086 # words
    run -2 narthex $words
    equal "$output" "narthex: $wanted"
  done <<'END'
exec foo -u|exec: option '-u' needs an argument
exec foo -tu|exec: option '-u' needs an argument
exec foo --user|exec: option '--user' needs an argument
exec -tx foo true|exec: there is no option '-x': see 'narthex help exec'
logs foo -n|logs: option '-n' needs an argument
logs foo -fn|logs: option '-n' needs an argument
logs -fx foo|logs: there is no option '-x': see 'narthex help logs'
list -xy|list: there is no option '-x': see 'narthex help list'
list --json=1|list: there is no option '--json=1'; did you mean --json?
create foo --root|create: option '--root' needs an argument
list -H|list: option '-H' needs an argument
list --host|list: option '--host' needs an argument
exec foo -H|exec: option '-H' needs an argument
run --root=/ --setenv=NO_SUCH_VARIABLE true|run: --setenv=NO_SUCH_VARIABLE: there is no such variable to pass on
END
}

@test "bad values of run are explained before anything is made" {
  local option wanted
  while IFS='|' read -r option wanted; do
    run -2 timeout 30 narthex run --root / --ephemeral "$option" -- true
    matches "$output" "$wanted"
  done <<'END'
--host-address=10.0.0|HostAddress=10.0.0: not an IPv4 address
--host-address6=10.0.0.1|HostAddress6=10.0.0.1: an IPv4 address
--local-address=10.0.0.2|LocalAddress= without HostAddress=
--bind=relative|Bind=relative: must be an absolute path
--tmpfs=/x:size=big|TemporaryFileSystem=
--private-users=identity|PrivateUsers=identity
--capability=CAP_FLY|Capability=CAP_FLY
--hostname=-|not a host name
END
}

@test "check says nothing of good files, and what is wrong with each bad one" {
  printf '[Exec]\nAutoStart=no\n' >"$BATS_TEST_TMPDIR/good.conf"
  printf '[Exec]\nAutoStart=x\n' >"$BATS_TEST_TMPDIR/bad.conf"
  printf '[Exec]\nAutoStrt=no\n' >"$BATS_TEST_TMPDIR/worse.conf"
  run -0 narthex check "$BATS_TEST_TMPDIR/good.conf"
  equal "$output" ''
  run -1 narthex check "$BATS_TEST_TMPDIR"/{bad,good,worse}.conf
  matches "$output" 'bad.conf:2: AutoStart=x'
  matches "$output" 'worse.conf:2: unknown key AutoStrt='
  run -1 narthex check "$BATS_TEST_TMPDIR/missing.conf"
  matches "$output" 'No such file'
  run -1 narthex check /etc/passwd
  matches "$output" 'NAME.conf'
}

complete_with() { # WORD…: what bash would offer for the last one
  bash -c '
    source "$1"
    shift
    COMP_WORDS=("$@")
    COMP_CWORD=$(($# - 1))
    _narthex
    printf "%s\n" "${COMPREPLY[@]}"' bash "$src/completion/bash/narthex" "$@"
}

@test "completion in bash" {
  equal "$(complete_with narthex ch)" check
  equal "$(complete_with narthex c)" $'create\ncp\ncheck'
  equal "$(complete_with narthex run --loc)" $'--local-address=\n--local-address6='
  equal "$(complete_with narthex run --private-users = p)" pick
  equal "$(complete_with narthex help ru)" run
  equal "$(complete_with narthex list --h)" $'--host=\n--help'
  equal "$(complete_with narthex -H there ex)" exec
  equal "$(complete_with narthex --host = there list --j)" --json
  mkdir -p "$BATS_TEST_TMPDIR/.ssh"
  printf 'Host near far*\nhost  nearby !other\n' >"$BATS_TEST_TMPDIR/.ssh/config"
  equal "$(HOME=$BATS_TEST_TMPDIR complete_with narthex status -H ne)" $'near\nnearby'
  equal "$(HOME=$BATS_TEST_TMPDIR complete_with narthex --host = nearb)" nearby
  mkdir -p /run/narthex/complete-me
  touch /run/narthex/complete-me/leader
  equal "$(complete_with narthex exec complete-m)" complete-me
  equal "$(complete_with narthex exec -t -u root --workdir = /tmp complete-m)" complete-me
  equal "$(complete_with narthex -H there shell complete-m)" complete-me
  not grep -q complete-me <<<"$(complete_with narthex exec foo complete-m)"
  rm -r /run/narthex/complete-me
  # shellcheck disable=SC2154 # it is the library's
  mkdir -p "$conf_dir"
  touch "$conf_dir/completed.conf"
  equal "$(complete_with narthex run --name = compl)" completed
  rm "$conf_dir/completed.conf"
}

@test "completion offers, and runs, no name that is none" {
  # shellcheck disable=SC2154
  local evil place offers places=("$conf_dir" "$containers" /run/narthex)
  mkdir -p "${places[@]}"
  # shellcheck disable=SC2016 # nobody may expand it
  for evil in '$(touch ${HOME}evil)' '`touch evil`' $'a\e[2Jb' $'a\nb' 'a b' '*' '-x'; do
    mkdir -p "$containers/$evil" "/run/narthex/$evil"
    touch "$conf_dir/$evil.conf" "/run/narthex/$evil/leader"
  done
  mkdir -p "$containers/fair" /run/narthex/fair
  touch /run/narthex/fair/leader
  cd "$BATS_TEST_TMPDIR"
  HOME=$BATS_TEST_TMPDIR/
  export HOME
  offers="$(complete_with narthex start '') $(complete_with narthex exec '') $(complete_with narthex cp fa)"
  for place in "${places[@]}"; do
    rm -rf "${place:?}"/{fair,'$('*,'`'*,a?*b,'*','-x'}{,.conf}
  done
  equal "$offers" 'fair fair fair:'
  equal "$(ls -A "$BATS_TEST_TMPDIR")" ''
}

@test "help, man pages and completions know the same options and keys" {
  B=$BATS_TEST_TMPDIR/build
  mkdir "$B"
  ln -s "$(command -v narthex)" "$(command -v run-in-netns)" "$B/"
  for generator in /usr/lib/systemd/system-generators/narthex-generator "$(dirname "$(command -v narthex)")/narthex-generator"; do
    [ ! -x "$generator" ] || ln -sf "$generator" "$B/"
  done
  B=$B "$src/tools/check-options"
}
