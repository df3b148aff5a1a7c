# the seed's own example
{
  path = "/nix/var/nix/profiles/containers/foo";
  privateNetwork = true;
  hostAddress = "10.231.136.1";
  localAddress = "10.231.136.2";
}
