# SPDX-License-Identifier: MIT
# What systemd.containers.<name>.flake evaluates.
{
  outputs =
    { self }:
    {
      nixosConfigurations.web.config.system.build.toplevel = "/nix/store/00000000000000000000000000000000-web";
    };
}
