#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The keys of systemd.nspawn(5) in [Exec], and the table of all of them.

load lib

teardown_file() {
  guests_remove_all
}

table=/src/docs/nspawn-keys.md

# KEY of every row
rows() {
  # shellcheck disable=SC2016 # no expansion is meant
  sed -n 's/^| `\([A-Za-z0-9]*\)=` |.*/\1/p' "$table"
}

@test "every key of systemd.nspawn(5) has its row, once" {
  local limit keys=(Boot Ephemeral ProcessTwo Parameters Environment User WorkingDirectory PivotRoot Capability
    DropCapability AmbientCapability NoNewPrivileges KillSignal Personality MachineID PrivateUsers NotifyReady
    SystemCallFilter OOMScoreAdjust CPUAffinity Hostname ResolvConf Timezone LinkJournal SuppressSync ReadOnly Volatile
    Bind BindReadOnly BindUser TemporaryFileSystem Inaccessible Overlay OverlayReadOnly PrivateUsersOwnership
    PrivateUsersChown Private VirtualEthernet VirtualEthernetExtra Interface MACVLAN IPVLAN Bridge Zone Port
    NamespacePath)
  for limit in CPU FSIZE DATA STACK CORE RSS NOFILE AS NPROC MEMLOCK LOCKS SIGPENDING MSGQUEUE NICE RTPRIO RTTIME; do
    keys+=("Limit$limit")
  done
  diff <(printf '%s\n' "${keys[@]}" | sort) <(rows | sort)
}

@test "every test that the table of keys names is there" {
  local file title n=0
  while IFS=$'\t' read -r file title; do
    case $file in
    *.bats) grep -qxF "@test \"$title\" {" "/src/tests/e2e/$file" || fail "$file has no test \"$title\"" ;;
    *) grep -q "^static void $title(" "/src/tests/unit/$file" || fail "$file has no test $title" ;;
    esac
    n=$((n + 1))
  done < <(perl -ne 'while (/`([a-z-]+\.bats)` ((?:"[^"]+"(?:, )?)+)|`(test-[a-z-]+\.c)` ([a-z_0-9]+)/g) {
    if ($3) { print "$3\t$4\n" } else { my $f = $1; print "$f\t$_\n" for $2 =~ /"([^"]+)"/g }
  }' "$table")
  [ "$n" -ge 20 ] || fail "only $n names were found"
}
