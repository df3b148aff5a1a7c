# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What the end-to-end tests share. They run in the test host, as root, with the checkout at /src.

bats_require_minimum_version 1.5.0

containers=/var/lib/containers
conf_dir=/etc/narthex
flavour=${NARTHEX_FLAVOUR:-userns}
san=${SAN:-}
# a sanitizer build is this much slower
slow=$([ -n "$san" ] && echo 4 || echo 1)
# and of a machine of which nobody knows anything, as in CI, deadlines ask less
ease=$((slow * $([ -n "${CI:-}" ] && echo 3 || echo 1)))

# --- waiting -----------------------------------------------------------------------------------

# Waits until CMD succeeds; fails with a message after SECONDS. Never sleeps blindly. Afterwards $! may be of poll's own.
poll() { # SECONDS CMD…
  local deadline=$((SECONDS + $1 * ease)) what
  shift
  what=$*
  until "$@" >/dev/null 2>&1; do
    if [ "$SECONDS" -ge "$deadline" ]; then
      echo "still not so: $what" >&2
      return 1
    fi
    read -rt 0.05 <> <(:) || true
  done
}

not() {
  ! "$@"
}

# --- guests ------------------------------------------------------------------------------------

# A copy of a guest's tree. /usr is shared by hard links: no guest writes there.
guest_tree() { # NAME [TREE [DIR]]
  local from=$containers/.templates/${2:-debian} to=${3:-$containers/$1} d
  mkdir "$to"
  chmod --reference="$from" "$to"
  for d in "$from"/*; do
    case $d in
    */usr) cp -al "$d" "$to/" ;;
    *) cp -a "$d" "$to/" ;;
    esac
  done
  # login ends who has said nothing for a minute, and that is no time for a thousand of them on a slow machine
  [ ! -e "$to/etc/login.defs" ] || sed -i 's/^LOGIN_TIMEOUT.*/LOGIN_TIMEOUT 600/' "$to/etc/login.defs"
}

# /etc/narthex/NAME.conf from stdin, with what the flavour needs in a drop-in.
guest_conf() { # NAME
  mkdir -p "$conf_dir/$1.conf.d"
  cat >"$conf_dir/$1.conf"
  rm -f "$conf_dir/$1.conf.d/flavour.conf"
  if [ "$flavour" = nouserns ]; then
    printf '[Exec]\nPrivateUsers=no\n' >"$conf_dir/$1.conf.d/flavour.conf"
  fi
  systemctl daemon-reload
}

guest_start() { # NAME
  timeout $((60 * ease)) systemctl start "container-$1" || {
    guest_explain "$1"
    return 1
  }
}

guest_stop() { # NAME
  timeout $((60 * ease)) systemctl stop "container-$1"
}

# Tree, configuration from stdin (may be empty), started.
guest_up() { # NAME [TREE]
  guest_tree "$@"
  guest_conf "$1"
  guest_start "$1"
}

guest_explain() { # NAME
  systemctl status --no-pager --lines=0 "container-$1" >&2 || true
  journalctl --no-pager -o cat -n 40 -u "container-$1" >&2 || true
}

# What the journal has of a container's unit, up to what was said just now: journald may be behind.
log_of() { # NAME [OPTION…]
  journalctl --sync
  journalctl -q -o cat --no-pager -u "container-$1" "${@:2}"
}

# What sanitizers said in the guest or about its launcher is kept: a report may fail no test.
sanitizer_reports() { # NAME
  {
    journalctl -q --no-pager -D "$containers/$1/var/log/journal" 2>/dev/null
    journalctl -q --no-pager -u "container-$1"
  } | grep -E -A 12 'Sanitizer|runtime error:' >>/var/log/sanitizers || true
}

guest_remove() { # NAME…
  local name
  systemctl stop "${@/#/container-}" 2>/dev/null || true
  for name; do
    rm -rf "$conf_dir/$name.conf" "$conf_dir/$name.conf.d"
    systemctl reset-failed "container-$name" 2>/dev/null || true
    [ -z "$san" ] || sanitizer_reports "$name"
    rm -rf --one-file-system "${containers:?}/$name"
  done
  systemctl daemon-reload
}

# What the journal says about the guests when a test has failed. It takes a second each, so not of a hundred.
explain_failure() {
  local c n=0
  [ -z "${BATS_TEST_COMPLETED:-}" ] || return 0
  for c in "$conf_dir"/*.conf; do
    [ -e "$c" ] || continue
    if [ $((n += 1)) -gt 10 ]; then
      echo "there are more guests" >&2
      break
    fi
    guest_explain "$(basename "$c" .conf)"
  done
  return 0
}

# A file with a teardown of its own calls guests_remove_all, which explains, too.
teardown() {
  explain_failure
}

# Ends what a file left, so that one failed test doesn't drag the next file down.
guests_remove_all() {
  local c names=()
  [ -z "${BATS_TEST_NAME:-}" ] || explain_failure
  for c in "$conf_dir"/*.conf; do
    [ -e "$c" ] && names+=("$(basename "$c" .conf)")
  done
  [ ${#names[@]} = 0 ] || guest_remove "${names[@]}"
}

# The guest's PID 1 as the host knows it: the oldest process of the launcher's payload.
guest_leader() { # NAME
  local cgroup pid
  cgroup=$(systemctl show -P ControlGroup "container-$1")
  for pid in $(find "/sys/fs/cgroup$cgroup" -name cgroup.procs -exec cat {} + | sort -n); do
    if grep -qsE '^NSpid:[[:space:]]+[0-9]+[[:space:]]1$' "/proc/$pid/status"; then
      echo "$pid"
      return 0
    fi
  done
  return 1
}

launcher_pid() { # NAME
  systemctl show -P MainPID "container-$1"
}

# By Restart=, with another launcher.
restarted() { # NAME OLD-PID
  local new
  new=$(launcher_pid "$1")
  [ "$new" != 0 ] && [ "$new" != "$2" ] && [ "$(systemctl is-active "container-$1")" = active ]
}

# Nobody holds a container's lock. What a killed launcher has started dies a moment after it, and may have it for so long.
unlocked() { # NAME
  flock -n "/run/narthex/$1/lock" true
}

# All that was in its unit has ended, too.
is_failed() { # NAME
  [ "$(systemctl is-active "container-$1")" = failed ]
}

# The pids of a guest's agent, as the host knows them. Cgroups that go meanwhile are no failure.
agent_pids() { # NAME
  guest_pids "$1" -path '*/narthex-agent.service*'
}

# Its peak, of every agent in the guest; one there must be. A sanitizer's own memory says nothing, nor does who has ended.
memory_below() { # NAME KIB
  local pid kib n=0
  for pid in $(agent_pids "$1"); do
    kib=$(awk '/^VmHWM/ { print $2 }' "/proc/$pid/status" 2>/dev/null) || true
    [ -n "$kib" ] || continue
    [ -n "$san" ] || [ "$kib" -lt "$2" ] || return 1
    n=$((n + 1))
  done
  [ $n -gt 0 ]
}

guest_pids() { # NAME [FIND'S TESTS…]
  local cgroup
  cgroup=$(systemctl show -P ControlGroup "container-$1")
  [ -z "$cgroup" ] || find "/sys/fs/cgroup$cgroup" "${@:2}" -name cgroup.procs -exec cat {} + 2>/dev/null || true
}

# How many processes with this in their command line are in the guest. A program for each of them would take a minute for
# the thousand that a test may have, on a machine that has something else to do.
guest_count() { # NAME PATTERN
  local pid words
  guest_pids "$1" | while read -r pid; do
    mapfile -d '' -t words <"/proc/$pid/cmdline" && printf '%s\n' "${words[*]//$'\n'/ } "
  done 2>/dev/null | grep -c -- "$2" || true
}

equal_count() { # NAME PATTERN N
  [ "$(guest_count "$1" "$2")" = "$3" ]
}

# --- doors -------------------------------------------------------------------------------------

door() { # NAME DOOR
  local path=$containers/$1/var/lib/$2.socket
  # the longest names don't fit into a socket's address that way: there is another
  [ "${#path}" -lt 108 ] || path=/run/narthex/$1/doors/$2.socket
  echo "$path"
}

# Somebody listens there: the file alone is bound before.
listens_at() { # PATH
  grep -qE "^[^ ]+ [^ ]+ [^ ]+ 00010000 .* $1\$" /proc/net/unix
}

# Runs a script (argument or stdin) in the guest's root shell; stdout is the session's output, byte for byte. A guest
# without systemd counts as started before its doors are open: that is waited for.
inside() { # NAME [SCRIPT]
  if [ $# -gt 1 ]; then
    printf '%s\n' "$2"
  else
    cat
  fi | timeout $((90 * ease)) socat -t $((80 * ease)) - "unix-connect:$(door "$1" root-shell),retry=400,interval=0.05"
}

# Runs an expect script in which $door, $user … are set by NAME=VALUE arguments before it.
converse() { # [NAME=VALUE…] SCRIPT
  local script status=0 prologue='
    set timeout '$((30 * ease))'
    log_user 1
    proc need {pattern} {
      expect {
        -re $pattern {}
        timeout { puts "\ntimeout, waited for: $pattern"; exit 98 }
        eof { puts "\nend of file, waited for: $pattern"; exit 99 }
      }
    }
    proc need_eof {} {
      expect {
        eof {}
        timeout { puts "\ntimeout, waited for the end"; exit 97 }
      }
    }
    proc knock {path} {
      global spawn_id
      spawn -noecho socat unix:$path -,echo=0,raw
    }
'
  while [ $# -gt 1 ]; do
    prologue+="set ${1%%=*} {${1#*=}}"$'\n'
    shift
  done
  # from a file: of a script in -c an error is no failure
  script=$(mktemp -p "${BATS_TEST_TMPDIR:-$BATS_FILE_TMPDIR}")
  printf '%s\n' "$prologue$1" >"$script"
  timeout $((120 * ease)) expect -f "$script" || status=$?
  rm "$script"
  return "$status"
}

# The same, and it must succeed; what was said is in $output.
talk() {
  run converse "$@"
  [ "$status" = 0 ] || {
    printf 'exit status %s; heard:\n%s\n' "$status" "$(cat -v <<<"$output")" >&2
    return 1
  }
}

# --- what must not grow or stay ----------------------------------------------------------------

# Everything a container can leave on the host: interfaces, mounts, cgroups, /run/narthex, processes.
traces() { # NAME
  local t
  ip -br link | grep -E "^c-" || true
  awk '$2 ~ "/run/narthex|/var/lib/containers/" { print $2 }' /proc/mounts
  find /sys/fs/cgroup -type d -name "*container-$1*" || true
  [ ! -e "/run/narthex/$1" ] || find "/run/narthex/$1" || true
  find /run/narthex/.uid-ranges -type f 2>/dev/null | while read -r t; do
    # a lock file that nobody holds is no claim
    flock -n "$t" true || echo "range $t is held"
  done
  pgrep -af narthex-launch || true
}

no_traces() { # NAME
  [ -z "$(traces "$1")" ]
}

# The kernel takes a network namespace apart after its last process has ended, and the pair of interfaces with it.
none_left() { # NAME
  poll 30 no_traces "$1" || {
    echo "left behind:" >&2
    traces "$1" >&2
    return 1
  }
}

# No number in the second text is greater than in the first, which may be from a moment in which something was still ending.
no_more() { # BEFORE AFTER
  local before after i
  read -ra before <<<"${1//[!0-9]/ }"
  read -ra after <<<"${2//[!0-9]/ }"
  for i in "${!after[@]}"; do
    [ "${after[i]}" -le "${before[i]:-0}" ] || {
      printf 'before: %s\nafter:  %s\n' "$1" "$2" >&2
      return 1
    }
  done
}

fail() {
  echo "$*" >&2
  return 1
}

# Compares, and shows both sides when they differ.
equal() { # GOT WANTED
  [ "$1" = "$2" ] || {
    printf 'got:    %q\nwanted: %q\n' "$1" "$2" >&2
    return 1
  }
}

matches() { # TEXT REGEX
  [[ $1 =~ $2 ]] || {
    printf 'got:    %s\nwanted: /%s/\n' "$1" "$2" >&2
    return 1
  }
}

# --- faults ------------------------------------------------------------------------------------

# Guest "faulty", whose agent tests/e2e/agent-faults has fail.
agent_faults_guest() {
  local tree=$containers/faulty
  guest_tree faulty
  install -m 0755 /build/tests/fault "$tree/fault"
  cat >"$tree/faulty-agent" <<'END'
#!/bin/sh
agent=/run/host/narthex/narthex-agent
exec 2>>/run/agent.err
mv /run/fault /run/fault.now 2>/dev/null || exec $agent
read -r process n mode </run/fault.now
mkdir -p /sys/fs/cgroup/faults.slice
exec /fault -d /run/fault.said /sys/fs/cgroup/faults.slice $process $n $mode -- $agent
END
  chmod 0755 "$tree/faulty-agent"
  mkdir -p "$tree/etc/systemd/system/narthex-agent.service.d"
  printf '[Service]\nExecStart=\nExecStart=/faulty-agent\n' >"$tree/etc/systemd/system/narthex-agent.service.d/faults.conf"
  guest_conf faulty </dev/null
  guest_start faulty
}

# It leaves like this when it is idle, too.
no_agent_in() { # NAME
  local pids
  pids=$(agent_pids "$1")
  [ -n "$pids" ] || return 0
  # shellcheck disable=SC2086 # a list
  kill -TERM $pids
  return 1
}
