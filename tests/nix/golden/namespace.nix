{
  networkNamespace = "/run/netns/vpn";
  switchCommand = "/bin/sh -c 'echo switched'";
}
