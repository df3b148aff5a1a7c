#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What root in the guest can't do to the host.

load lib

setup_file() {
  guest_up iso <<'END'
[Network]
Private=yes
END
}

teardown_file() {
  guests_remove_all
}

only_userns() {
  # nothing is promised without a user namespace: the flavour has nothing to show here
  [ "$flavour" = userns ]
}

@test "uid 0 inside is not uid 0 outside" {
  local map leader
  map=$(inside iso 'id -u; cat /proc/self/uid_map' | xargs)
  leader=$(guest_leader iso)
  if only_userns; then
    matches "$map" '^0 0 ([0-9]+) 65536$'
    [ "${BASH_REMATCH[1]}" -ge 65536 ]
    equal $((BASH_REMATCH[1] % 65536)) 0
    equal "$(stat -c %u "/proc/$leader")" "${BASH_REMATCH[1]}"
  else
    equal "$map" '0 0 0 4294967295'
    equal "$(stat -c %u "/proc/$leader")" 0
  fi
}

@test "files keep their owners on disk" {
  inside iso 'touch /root/mine; runuser -u alice touch /home/alice/hers'
  equal "$(stat -c %u "$containers/iso/root/mine")" 0
  equal "$(stat -c %u "$containers/iso/home/alice/hers")" 1000
  equal "$(inside iso 'stat -c %U /etc/passwd /home/alice/hers' | tr '\n' ' ')" 'root alice '
}

@test "two guests have ranges of their own" {
  only_userns || return 0
  local one two
  guest_up iso2 </dev/null
  one=$(inside iso 'cat /proc/self/uid_map')
  two=$(inside iso2 'cat /proc/self/uid_map')
  guest_remove iso2
  [ "$one" != "$two" ]
}

@test "the cgroup tree in the guest is its own, and only that" {
  local leader cgroup
  equal "$(inside iso 'cut -d: -f1,3 /proc/1/cgroup | grep ^0:')" 0:/init.scope
  # the host's slices aren't there
  equal "$(inside iso 'ls -d /sys/fs/cgroup/machine.slice /sys/fs/cgroup/outside 2>/dev/null')" ''
  leader=$(guest_leader iso)
  cgroup=$(systemctl show -P ControlGroup container-iso)
  matches "$(cat "/proc/$leader/cgroup")" "$cgroup/"
  poll 20 same_tree "$cgroup"
}

# Inside and outside, while the guest's own systemd makes and removes some.
same_tree() { # CGROUP
  equal "$(inside iso 'find /sys/fs/cgroup -maxdepth 1 -type d -printf "%P\n" | sort')" \
    "$(find "/sys/fs/cgroup$1/payload" -maxdepth 1 -type d -printf '%P\n' | sort)"
}

# Services of the host's come and go.
others() {
  (cd /sys/fs/cgroup && find . -type d -not -path './machine.slice/container-iso.service/*' -not -path './system.slice/*' | sort)
}

@test "writes to /sys/fs/cgroup touch only the guest's own" {
  local cgroup before
  cgroup=/sys/fs/cgroup$(systemctl show -P ControlGroup container-iso)
  before=$(others)
  inside iso 'mkdir /sys/fs/cgroup/made-inside && echo 0 >/sys/fs/cgroup/made-inside/cgroup.procs; echo 7 >/sys/fs/cgroup/made-inside/cgroup.max.descendants'
  equal "$(find /sys/fs/cgroup -name made-inside | wc -l)" 1
  matches "$(find /sys/fs/cgroup -name made-inside)" "^$cgroup/"
  equal "$(others)" "$before"
  # its own limits are not its own to change
  run inside iso 'echo 1 >/sys/fs/cgroup/../cgroup.freeze'
  equal "$(cat "$cgroup/cgroup.freeze")" 0
  only_userns || return 0
  run inside iso '(echo 3 >/sys/fs/cgroup/cgroup.max.depth) 2>/dev/null && echo WROTE'
  equal "$output" ''
}

@test "kernel knobs are not writable" {
  only_userns || return 0
  local knob out
  for knob in /proc/sys/kernel/core_pattern /proc/sys/kernel/modprobe /proc/sysrq-trigger /proc/sys/vm/drop_caches \
    /proc/sys/kernel/panic /sys/kernel/uevent_helper /proc/sys/fs/binfmt_misc/register; do
    out=$(inside iso "(echo x >$knob) 2>/dev/null && echo WROTE $knob")
    equal "$out" ''
  done
  # nor after taking away what covers them
  out=$(inside iso '
    umount /proc/sys 2>/dev/null && echo unmounted
    mount -o remount,rw,bind /proc/sys 2>/dev/null && echo remounted
    mkdir -p /tmp/p && mount -t proc proc /tmp/p 2>/dev/null && (echo x >/tmp/p/sys/kernel/core_pattern) 2>/dev/null && echo WROTE
    true')
  equal "$out" ''
}

@test "masked files show nothing" {
  local f
  for f in kcore kallsyms keys timer_list; do
    [ -e "/proc/$f" ] || continue
    equal "$(inside iso "head -c 16 /proc/$f 2>/dev/null | wc -c")" 0
  done
}

@test "no device but the usual nodes, and none can be made to work" {
  equal "$(inside iso 'cd /dev && find . -maxdepth 1 -type c | sort | tr "\n" " "')" \
    './full ./null ./random ./tty ./urandom ./zero '
  run inside iso 'mknod /root/disk b 254 0 2>&1 && head -c 1 /root/disk 2>&1 && echo READ'
  [[ $output != *READ* ]]
  run inside iso 'mknod /root/mem c 1 1 2>&1 && head -c 1 /root/mem 2>&1 && echo READ'
  [[ $output != *READ* ]]
}

@test "the bounding set is cut and a filter is on" {
  local caps
  caps=$((16#$(inside iso 'sed -n "s/^CapBnd:\t//p" /proc/self/status')))
  # CAP_SYS_MODULE 16, CAP_SYS_RAWIO 17, CAP_SYS_TIME 25, CAP_BPF 39, CAP_MAC_ADMIN 33, CAP_SYSLOG 34
  local c
  for c in 16 17 25 33 34 39; do
    equal "$((caps >> c & 1))" 0
  done
  # CAP_SYS_ADMIN 21 is what systemd needs
  equal "$((caps >> 21 & 1))" 1
  equal "$(inside iso 'grep ^Seccomp: /proc/self/status | tr -dc 0-9')" 2
}

@test "no descriptor and no variable of the launcher's is in PID 1" {
  local leader
  leader=$(guest_leader iso)
  # systemd's own: nothing that points to the host's tree
  run bash -c "ls -l /proc/$leader/fd | grep -E 'containers|/run/narthex|/etc/narthex|launcher.socket'"
  equal "$output" ''
  equal "$(tr '\0' '\n' <"/proc/$leader/environ" | grep -E '^(LISTEN_|JOURNAL_STREAM|INVOCATION_ID|SYSTEMD_EXEC_PID)' || true)" ''
}

@test "the host's processes, mounts and tree are out of sight" {
  equal "$(inside iso 'ls /var/lib/containers 2>/dev/null; ls /src /build 2>/dev/null')" ''
  equal "$(inside iso 'grep -c -e /src -e /build -e upperdir /proc/self/mountinfo || true')" 0
  equal "$(inside iso 'tr "\0" " " </proc/1/cmdline | cut -d" " -f1')" "$(inside iso 'tr "\0" " " </proc/1/cmdline | cut -d" " -f1' | grep init\\\|systemd)"
  [ "$(inside iso 'ls -d /proc/[0-9]* | wc -l')" -lt "$(find /proc -maxdepth 1 -name '[0-9]*' | wc -l)" ]
}

@test "what the launcher brings in can't be changed" {
  run inside iso 'touch /run/host/narthex/x 2>&1; chmod u+s /run/host/narthex/narthex-agent 2>&1; mount -o remount,rw /run/host/narthex 2>&1; echo x >>/run/host/narthex/narthex-agent'
  echo "$output"
  equal "$(stat -c %a /usr/lib/narthex/guest/narthex-agent)" 755
  run inside iso 'touch /run/host/narthex/x 2>/dev/null && echo WROTE'
  equal "$output" ''
}

@test "a root directory that is a symlink trap is refused" {
  local d
  for d in proc sys dev run; do
    guest_tree trap
    rm -rf --one-file-system "${containers:?}/trap/$d"
    ln -s /etc "$containers/trap/$d"
    guest_conf trap <<<$'[Service]\nRestart=no'
    run timeout 60 systemctl start container-trap
    [ "$status" -ne 0 ]
    matches "$(log_of trap)" "/$d|'$d'|$d"
    guest_remove trap
  done
  [ ! -e /etc/narthex/doors ]
}
