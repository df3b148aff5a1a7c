{
  autoStart = true;
  restartIfChanged = false;
  path = "/nix/store/00000000000000000000000000000000-nixos-system-exec";
  perContainerNix = true;
  nixDaemon = true;
  privateUsers = 1048576;
  additionalCapabilities = [
    "CAP_NET_ADMIN"
    "CAP_MKNOD"
  ];
  timeoutStartSec = "5min";
  extraConfig = ''
    [Service]
    MemoryMax=1G
  '';
}
