# SPDX-License-Identifier: MIT

# A container's options as the text of /etc/narthex/NAME.conf (narthex.conf(5)), and what is wrong with them. In builtins
# only, so that it is tested where there is no nixpkgs: tests/nix/run. host.nix does the rest.
#
#   conf name options      the text
#   problems name options  a list of messages, empty when all is well
#
# options: those of container.nix; what is missing has its default.
let
  inherit (builtins)
    attrNames
    concatMap
    concatStringsSep
    elem
    elemAt
    filter
    hashString
    head
    isAttrs
    isInt
    isList
    match
    stringLength
    ;

  defaults = {
    path = null;
    root = null;
    store = "/nix/store";
    autoStart = false;
    restartIfChanged = true;
    ephemeral = false;
    perContainerNix = false;
    nixDaemon = false;
    switchCommand = null;
    privateUsers = "pick";
    additionalCapabilities = [ ];
    enableTun = false;
    copyResolvConf = true;
    bindMounts = { };
    tmpfs = [ ];
    allowedDevices = [ ];
    privateNetwork = false;
    hostBridge = null;
    hostAddress = null;
    hostAddress6 = null;
    localAddress = null;
    localAddress6 = null;
    localMacAddress = null;
    forwardPorts = [ ];
    extraVeths = { };
    interfaces = [ ];
    macvlans = [ ];
    networkNamespace = null;
    timeoutStartSec = null;
    extraFlags = [ ];
    extraConfig = "";
  };

  fill = options: defaults // options;

  # --- text -------------------------------------------------------------------------------------

  # One line, none for null.
  line = key: value: if value == null then [ ] else [ "${key}=${toString value}" ];
  lines = key: values: concatMap (line key) values;
  flag = key: value: if value then [ "${key}=yes" ] else [ ];

  section = name: content: if content == [ ] then [ ] else [ "[${name}]" ] ++ content ++ [ "" ];

  # A path before a colon: the syntax of Bind= takes "\:" for one that separates nothing.
  escapePath = builtins.replaceStrings [ "\\" ":" ] [ "\\\\" "\\:" ];

  bindLine =
    mountPoint: bind:
    let
      target = bind.mountPoint or mountPoint;
      source = if bind.hostPath or null == null then target else bind.hostPath;
      owner = bind.owner or null;
      key = if bind.isReadOnly or true then "BindReadOnly" else "Bind";
    in
    "${key}=${escapePath source}:${escapePath target}${if owner == null then "" else ":${owner}"}";

  port =
    forward:
    let
      inside = forward.containerPort or null;
      host = toString forward.hostPort;
    in
    "${forward.protocol or "tcp"}:${host}:${if inside == null then host else toString inside}";

  # --- flags of systemd-nspawn that have a key ----------------------------------------------------

  flagKeys = {
    bind = "Files.Bind";
    bind-ro = "Files.BindReadOnly";
    tmpfs = "Files.TemporaryFileSystem";
    capability = "Exec.Capability";
    drop-capability = "Exec.DropCapability";
    setenv = "Exec.Environment";
    hostname = "Exec.Hostname";
    kill-signal = "Exec.KillSignal";
    private-users = "Exec.PrivateUsers";
    network-bridge = "Network.Bridge";
    network-zone = "Network.Zone";
    network-veth-extra = "Network.VirtualEthernetExtra";
    network-macvlan = "Network.MACVLAN";
    network-ipvlan = "Network.IPVLAN";
    network-interface = "Network.Interface";
    port = "Network.Port";
    property = "Service.";
  };

  # "--name=value" as { section, line }, null for what has no key
  translate =
    text:
    let
      parts = match "--([a-z-]+)=(.*)" text;
      setting = if parts == null then "" else flagKeys.${head parts} or "";
      names = match "([A-Za-z]+)\\.(.*)" setting;
      value = elemAt parts 1;
    in
    if parts == null || names == null then
      null
    else
      {
        section = head names;
        # --property=KEY=VALUE is a line already
        line = if elemAt names 1 == "" then value else "${elemAt names 1}=${value}";
      };

  flagLines =
    o: name:
    concatMap (
      text:
      let
        t = translate text;
      in
      if t != null && t.section == name then [ t.line ] else [ ]
    ) o.extraFlags;

  # --- sections ---------------------------------------------------------------------------------

  exec =
    o:
    line "Path" o.path
    ++ flag "AutoStart" o.autoStart
    ++ flag "Ephemeral" o.ephemeral
    ++ (if o.privateUsers == "pick" then [ ] else line "PrivateUsers" o.privateUsers)
    ++ lines "Capability" (o.additionalCapabilities ++ (if o.enableTun then [ "CAP_NET_ADMIN" ] else [ ]))
    ++ (if o.copyResolvConf then [ ] else [ "ResolvConf=off" ])
    ++ line "SwitchCommand" o.switchCommand
    ++ flagLines o "Exec";

  files =
    o:
    line "Root" o.root
    ++ (if o.path == null then [ ] else line "Store" o.store)
    ++ flag "PerContainerNix" o.perContainerNix
    ++ flag "NixDaemon" o.nixDaemon
    ++ map (mountPoint: bindLine mountPoint o.bindMounts.${mountPoint}) (attrNames o.bindMounts)
    ++ (if o.enableTun then [ "Bind=/dev/net/tun" ] else [ ])
    ++ lines "TemporaryFileSystem" o.tmpfs
    ++ flagLines o "Files";

  addresses =
    o:
    line "Bridge" (o.hostBridge or null)
    ++ line "HostAddress" (o.hostAddress or null)
    ++ line "LocalAddress" (o.localAddress or null)
    ++ line "HostAddress6" (o.hostAddress6 or null)
    ++ line "LocalAddress6" (o.localAddress6 or null)
    ++ line "MACAddress" (o.localMacAddress or null);

  network =
    o:
    flag "Private" o.privateNetwork
    ++ flag "VirtualEthernet" o.privateNetwork
    ++ (if o.privateNetwork then addresses o else [ ])
    ++ lines "Port" (map port o.forwardPorts)
    ++ lines "VirtualEthernetExtra" (attrNames o.extraVeths)
    ++ lines "Interface" o.interfaces
    ++ lines "MACVLAN" o.macvlans
    ++ line "NamespacePath" o.networkNamespace
    ++ flagLines o "Network";

  links = o: concatMap (name: section "Link ${name}" (addresses o.extraVeths.${name})) (attrNames o.extraVeths);

  service =
    o:
    line "TimeoutStartSec" o.timeoutStartSec
    ++ map (device: "DeviceAllow=${device.node} ${device.modifier or "rw"}") o.allowedDevices
    ++ flagLines o "Service";

  # What a running container can't be given: who its users are, whose network it is in, what its tree is.
  cold = o: [
    o.root
    o.store
    o.ephemeral
    o.perContainerNix
    o.nixDaemon
    o.privateUsers
    o.additionalCapabilities
    o.enableTun
    o.tmpfs
    o.copyResolvConf
    o.privateNetwork
    o.networkNamespace
  ];

  # NixOS compares units: another Restart trigger restarts the container, another Reload trigger only reloads it.
  unit =
    o: text:
    (if o.restartIfChanged then [ ] else [ "X-RestartIfChanged=false" ])
    ++ [
      "X-Reload-Triggers=${hashString "sha256" text}"
      "X-Restart-Triggers=${hashString "sha256" (builtins.toJSON (cold o))}"
    ];
  body =
    o:
    concatStringsSep "\n" (
      section "Exec" (exec o)
      ++ section "Files" (files o)
      ++ section "Network" (network o)
      ++ links o
      ++ section "Service" (service o)
      ++ (if o.extraConfig == "" then [ ] else [ o.extraConfig ])
    );

  conf =
    name: options:
    let
      o = fill options;
      text = body o;
    in
    ''
      # Container ${name}, by NixOS: change systemd.containers there.

      ${text}
      ${concatStringsSep "\n" (section "Unit" (unit o text))}''
  ;

  # --- what is wrong ----------------------------------------------------------------------------

  isSet = value: value != null && value != [ ] && value != { };

  addressKeys = [
    "hostBridge"
    "hostAddress"
    "hostAddress6"
    "localAddress"
    "localAddress6"
    "localMacAddress"
  ];

  nameProblems =
    name:
    if match "[a-zA-Z0-9][a-zA-Z0-9._-]*" name == null then
      [ "a container's name begins with a letter or a digit and has only letters, digits, '.', '_' and '-'" ]
    else if stringLength name > 63 then
      [ "a container's name has at most 63 characters, this one has ${toString (stringLength name)}" ]
    else if
      elem name [
        "storage"
        "cache"
      ]
    then
      [ "/var/lib/containers/${name} belongs to podman: choose another name" ]
    else
      [ ];

  networkProblems =
    o:
    let
      without = filter (key: isSet o.${key}) addressKeys;
      own = filter (key: isSet o.${key}) (
        [
          "forwardPorts"
          "interfaces"
          "macvlans"
          "extraVeths"
        ]
        ++ addressKeys
      );
      both = a: b: isSet o.${a} && isSet o.${b};
    in
    (
      if !o.privateNetwork && without != [ ] then
        [ "${head without} has no effect without a network of its own: set privateNetwork = true, or remove it" ]
      else
        [ ]
    )
    ++ (
      if o.networkNamespace != null && (o.privateNetwork || own != [ ]) then
        [
          "networkNamespace names a network that is there already: remove ${
            if o.privateNetwork then "privateNetwork" else head own
          }"
        ]
      else
        [ ]
    )
    ++ concatMap
      (
        pair:
        if both (head pair) (elemAt pair 1) then
          [ "the host's address belongs to the bridge: remove ${elemAt pair 1}, or hostBridge" ]
        else
          [ ]
      )
      [
        [
          "hostBridge"
          "hostAddress"
        ]
        [
          "hostBridge"
          "hostAddress6"
        ]
      ]
    ++ concatMap (
      name:
      if isSet (o.extraVeths.${name}.forwardPorts or [ ]) then
        [ "extraVeths.${name}.forwardPorts: ports are forwarded to the container, not to a link: use its own forwardPorts" ]
      else
        [ ]
    ) (attrNames o.extraVeths);

  userProblems =
    users:
    if users == "identity" || users == 0 then
      [ "privateUsers = ${toString users} would make the container's root the host's root: use \"pick\"" ]
    else if isInt users && users < 65536 then
      [ "privateUsers = ${toString users}: the host's own users are below 65536: use \"pick\"" ]
    else
      [ ];

  # Each must be one line: what follows a line break would be read as another key.
  strings =
    value:
    if isList value then
      concatMap strings value
    else if isAttrs value then
      attrNames value ++ concatMap (name: strings value.${name}) (attrNames value)
    else
      [ (toString value) ];
  isBroken = value: builtins.any (text: match "[^\n]*" text == null) (strings value);
  brokenProblems =
    o:
    map (key: "${key} has a line break in it") (
      filter (key: key != "extraConfig" && isBroken o.${key}) (attrNames defaults)
    );

  problems =
    name: options:
    let
      o = fill options;
      binds = map (m: o.bindMounts.${m} // { mountPoint = o.bindMounts.${m}.mountPoint or m; }) (attrNames o.bindMounts);
    in
    nameProblems name
    ++ (
      if o.path != null && match "/.*" (toString o.path) == null then
        [ "path = \"${toString o.path}\" is not absolute" ]
      else
        [ ]
    )
    ++ networkProblems o
    ++ userProblems o.privateUsers
    ++ brokenProblems o
    ++ concatMap (
      bind: if match "/.*" bind.mountPoint == null then [ "bindMounts.\"${bind.mountPoint}\" is not absolute" ] else [ ]
    ) binds
    ++ concatMap (
      text: if translate text == null then [ "extraFlags: ${text} has no counterpart: see narthex.conf(5)" ] else [ ]
    ) o.extraFlags;
in
{
  inherit conf problems defaults;
}
