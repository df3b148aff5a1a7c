# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Traps in a guest's tree, for the tests of paths: every kind of file that a hostile root can make of a path, and a tree
# and two sockets of the host's, which nobody may touch.

canary=/srv/canary
hits=/srv/hits
# what a path can be
kinds=(link host up dangling fifo device directory file socket missing)

# --- the host's side: a tree and two sockets that nobody has any business with ---------------------------

make_canary() {
  mkdir -p $canary/dir/below
  echo secret >$canary/file
  chmod 0600 $canary/file
  cp /bin/true $canary/program
  chmod 4755 $canary/program
  # where anybody may write, if he gets there
  mkdir -m 0777 $canary/shared{,/network}
  touch $canary/shared/network/{80-container-host0,zz-narthex}.network
  setfattr -n user.mark -v here $canary/dir
  : >"$BATS_FILE_TMPDIR/pids"
  listen_at $canary/stream stream
  listen_at $canary/packets seqpacket
}

remove_canary() {
  local pid
  while read -r pid; do
    kill "$pid" || true
  done <"$BATS_FILE_TMPDIR/pids"
  rm -rf $canary $hits.*
}

listen_at() { # PATH TYPE
  /build/tests/peer trap "$1" "$2" "$hits.$2" >"$BATS_FILE_TMPDIR/$2" 2>&1 3>&- </dev/null &
  echo $! >>"$BATS_FILE_TMPDIR/pids"
  poll 10 grep -q ready "$BATS_FILE_TMPDIR/$2"
}

# Content, kind, mode, owner, links, times and attributes of the host's files; what is mounted where.
host_state() {
  find $canary /etc -path /etc/narthex -prune -o -printf '%p %y %m %U:%G %s %l %T@ %i\n' | sort
  find $canary /etc -path /etc/narthex -prune -o -type f -exec sha256sum {} + | sort
  getfattr -Rhd -m - --absolute-names $canary
  find /run/narthex -path '/run/narthex/paths/*' -prune -o -path '/run/narthex/.uid-ranges/*' -prune -o -printf '%p %y %m %U\n'
  # those of a service of the host's that a timer has started come and go
  awk '$5 !~ "^/run/credentials/" { print $5, $9 }' /proc/self/mountinfo | sort
}

unharmed() {
  diff <(host_state) "$BATS_TEST_TMPDIR/before" >&2 || fail "the host's files are not what they were"
  [ ! -s $hits.stream ] && [ ! -s $hits.seqpacket ] || fail "somebody knocked at the host's socket: $(cat $hits.*)"
}

remember() {
  host_state >"$BATS_TEST_TMPDIR/before"
}

# --- the guest's side ------------------------------------------------------------------------------------

# Makes of a path what KIND says. What was there lies beside it as PATH.was.
become() { # PATH KIND
  mv -T "$1" "$1.was" 2>/dev/null || mkdir -p "${1%/*}"
  case $2 in
  link) if [ -d "$1.was" ]; then ln -s /inside "$1"; else ln -s /inside.file "$1"; fi ;;
  host) ln -s "$(canary_like "$1.was")" "$1" ;;
  up) ln -s ../../../../../../../../../..$canary/dir "$1" ;;
  dangling) ln -s /nowhere "$1" ;;
  fifo) mkfifo "$1" ;;
  device) mknod "$1" c 1 3 ;;
  directory) mkdir "$1" ;;
  file) echo plain >"$1" ;;
  # a live one, of the host's
  socket) ln $canary/stream "$1" 2>/dev/null || dead_socket "$1" ;;
  missing) ;;
  esac
}

# On another file system no second name can be given to the host's: a dead one must do.
dead_socket() { # PATH
  local pid
  /build/tests/peer trap "$1" stream /dev/null >/dev/null 2>&1 3>&- </dev/null &
  pid=$!
  poll 20 test -S "$1"
  kill $pid
  wait $pid || true
}

# Exchanges pairs of paths until swap_stop, which sets $swaps to how often.
swap_start() { # A B …
  /build/tests/swap "$@" >"$BATS_TEST_TMPDIR/swaps" 3>&- &
  swapper=$!
}

swap_stop() {
  kill $swapper
  wait $swapper
  swaps=$(cat "$BATS_TEST_TMPDIR/swaps")
}

restore() { # PATH
  rm -rf --one-file-system "$1"
  mv -T "$1.was" "$1" 2>/dev/null || true
}

# The host's file that a guest would like to have instead.
canary_like() { # FILE
  if [ -d "$1" ]; then
    echo $canary/dir
  elif [[ $1 == */exec.socket.was ]]; then
    echo $canary/packets
  elif [ -S "$1" ]; then
    echo $canary/stream
  else
    echo $canary/program
  fi
}
