# what systemd-nspawn's flags become
{
  copyResolvConf = false;
  extraFlags = [
    "--bind=/srv:/srv:idmap"
    "--bind-ro=/etc/hosts"
    "--tmpfs=/mnt"
    "--drop-capability=CAP_SYS_CHROOT"
    "--setenv=A=b"
    "--hostname=other"
    "--network-veth-extra=lan:eth1"
    "--property=MemoryMax=1G"
  ];
}
