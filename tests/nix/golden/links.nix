# the host's interfaces, for as long as it runs
{
  interfaces = [
    "eth5"
    "eth6"
  ];
  macvlans = [ "eth0" ];
}
