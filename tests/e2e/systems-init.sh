# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC2154 # PID 1 of the systems of systems.nix; before it stand its shell, $busybox and $version
"$busybox" mkdir -p /bin /etc /root /var/lib
"$busybox" --install -s /bin
echo 'root:x:0:0:root:/root:/bin/sh' >/etc/passwd
echo 'root:x:0:' >/etc/group
echo "$version" >/run/version
/run/host/narthex/narthex-agent --listen root-shell=/var/lib/root-shell.socket --listen exec=/run/host/narthex/doors/exec.socket &
# what must survive a switch: a counter of tenths of a second
(
  n=0
  while sleep 0.1; do
    n=$((n + 1))
    echo $n >/run/counter.new
    mv /run/counter.new /run/counter
  done
) &
echo $! >/run/counter.pid
trap 'exit 0' PWR TERM
while :; do
  wait
  sleep 0.1
done
