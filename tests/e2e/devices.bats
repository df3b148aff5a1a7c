#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Devices: which ones a container can open, whoever starts it.

load lib

setup_file() {
  # what no container gets by itself, and opening it does nothing
  mknod -m 0600 /dev/loop-control c 10 237
  guest_tree dev
  install -D /bin/busybox "$containers/dev/usr/local/bin/busybox"
  # somebody's image may bring nodes of its own: fuse
  mknod -m 0666 "$containers/dev/srv/planted" c 10 229
}

teardown_file() {
  guests_remove_all
  rm -rf --one-file-system "${containers:?}/dev" /dev/loop-control /dev/fuse
}

setup() {
  options=(--root "$containers/dev" --name dev)
  [ "$flavour" = userns ] || options+=(--private-users no)
}

teardown() {
  explain_failure
  systemctl stop container-dev 2>/dev/null || true
  rm -rf "$conf_dir/dev.conf" "$conf_dir/dev.conf.d"
}

# Opens files; a line each says what came of it.
opens='for f; do if (: <"$f") 2>/dev/null; then echo "$f opens"; else echo "$f does not"; fi; done'

@test "narthex run: a node in the tree opens no device" {
  run -0 timeout $((30 * ease)) narthex run "${options[@]}" -- bash -c "$opens" - /dev/null /srv/planted
  matches "$output" '/dev/null opens'
  matches "$output" '/srv/planted does not'
}

@test "narthex run: no node can be made of one, and none is found in the kernel's own file system" {
  local script='
    mknod /dev/made c 10 229 2>/dev/null && (: </dev/made) 2>/dev/null && echo MADE
    mkdir -p /tmp/d && mount -t devtmpfs d /tmp/d 2>/dev/null
    (: </tmp/d/fuse) 2>/dev/null && echo FOUND
    echo done'
  run -0 timeout $((30 * ease)) narthex run "${options[@]}" --capability CAP_MKNOD -- bash -c "$script"
  matches "$output" "done"
  [[ $output != *MADE* && $output != *FOUND* ]]
}

@test "narthex run: a device that is bound can be used, read-only only read" {
  run -0 timeout $((30 * ease)) narthex run "${options[@]}" --bind /dev/loop-control --bind-ro /dev/loop-control:/dev/again -- \
    bash -c "$opens" - /dev/loop-control /dev/again /srv/planted
  if [ "$flavour" = nouserns ]; then
    matches "$output" '/dev/loop-control opens'
    matches "$output" '/dev/again opens'
  else
    # the node is root's, and this isn't the host's root: the administrator's own mode decides
    matches "$output" '/dev/loop-control does not'
  fi
  chmod 0666 /dev/loop-control
  run -0 timeout $((30 * ease)) narthex run "${options[@]}" --bind-ro /dev/loop-control:/dev/again -- \
    bash -c "$opens; (: >/dev/again) 2>/dev/null && echo WRITES; true" - /dev/again
  chmod 0600 /dev/loop-control
  matches "$output" '/dev/again opens'
  [[ $output != *WRITES* ]]
}

@test "a service: a node in the tree opens no device, one that is bound does" {
  guest_conf dev <<<$'[Files]\nBind=/dev/loop-control'
  chmod 0666 /dev/loop-control
  guest_start dev
  run inside dev "$(printf 'set -- /dev/null /dev/loop-control /srv/planted\n%s' "$opens")"
  chmod 0600 /dev/loop-control
  equal "$output" $'/dev/null opens\n/dev/loop-control opens\n/srv/planted does not'
}

# Makes tun0 and answers pings that are sent into it, as if somebody were at its other end.
tun='
use strict;
open(my $tun, "+<", "/dev/net/tun") or die "open: $!";
my $request = pack("a16 S x22", "tun0", 0x1001); # a tun, packets alone
ioctl($tun, 0x400454ca, $request) or die "TUNSETIFF: $!";
system("busybox ip addr add 10.99.0.1/24 dev tun0 && busybox ip link set tun0 up") == 0 or die;
my $answerer = fork();
if (!$answerer) {
  while (sysread($tun, my $packet, 2048)) {
    my ($from, $to, $type) = unpack("x12 a4 a4 C", $packet);
    next unless unpack("C", $packet) == 0x45 && $type == 8;
    substr($packet, 12, 8) = $to . $from;
    my $sum = unpack("x22 n", $packet) + 0x800; # as type 8 becomes 0
    substr($packet, 20, 4) = pack("C C n", 0, 0, ($sum & 0xffff) + ($sum >> 16));
    syswrite($tun, $packet);
  }
}
system("busybox ping -c 1 -W 20 10.99.0.2 >/dev/null") == 0 and print "pong\n";
kill("KILL", $answerer);
'

@test "a service: with /dev/net/tun, as NixOS' enableTun, a program has a network of its own making" {
  local mode
  guest_conf dev <<<$'[Files]\nBind=/dev/net/tun\n[Network]\nPrivate=yes'
  # as udev has it on a real host
  mode=$(stat -c %a /dev/net/tun)
  chmod 0666 /dev/net/tun
  guest_start dev
  run inside dev "perl -e '$tun'"
  chmod "$mode" /dev/net/tun
  equal "$output" pong
  [ ! -e /sys/class/net/tun0 ]
}

@test "a service whose unit has no policy has the launcher's" {
  guest_conf dev <<<$'[Service]\nDevicePolicy=auto\nDeviceAllow='
  guest_start dev
  equal "$(systemctl show -P DevicePolicy container-dev)" auto
  run inside dev "$(printf 'set -- /dev/null /srv/planted\n%s' "$opens")"
  equal "$output" $'/dev/null opens\n/srv/planted does not'
  if [ "$flavour" = nouserns ]; then
    # there it is the policy alone
    equal "$(inside dev 'mount -t devtmpfs d /mnt && (: </mnt/null) && echo usual; (: </mnt/fuse) 2>/dev/null && echo FOUND')" usual
  fi
}

@test "a service whose unit allows a device has it" {
  # with a user namespace the tree's nodes are closed besides
  [ "$flavour" = nouserns ] || return 0
  mknod -m 0600 /dev/fuse c 10 229
  guest_conf dev <<<$'[Service]\nDeviceAllow=/dev/fuse rw'
  guest_start dev
  equal "$(inside dev "set -- /srv/planted; $opens")" '/srv/planted opens'
}
