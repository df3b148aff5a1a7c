{
  root = "/srv/files";
  ephemeral = true;
  bindMounts = {
    "/etc/passwd.host".hostPath = "/etc/passwd";
    "/srv/a:b" = {
      hostPath = "/srv/c:d\\e";
      isReadOnly = false;
      owner = "rootidmap";
    };
    "/srv/same" = { };
    ignored = {
      mountPoint = "/srv/by-name";
      hostPath = "/srv";
    };
  };
  tmpfs = [
    "/var/cache"
    "/scratch:size=10M,mode=1777"
  ];
  allowedDevices = [
    { node = "/dev/kvm"; }
    {
      node = "/dev/fuse";
      modifier = "rwm";
    }
  ];
  enableTun = true;
}
