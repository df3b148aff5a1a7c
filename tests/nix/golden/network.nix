{
  privateNetwork = true;
  hostBridge = "br0";
  localAddress = "10.0.0.2/24";
  localAddress6 = "fd00::2/64";
  localMacAddress = "de:b7:73:01:10:90";
  extraVeths.lan = {
    hostAddress = "10.1.0.1";
    localAddress = "10.1.0.2";
  };
}
