# SPDX-License-Identifier: MIT
{
  lib,
  stdenv,
  libarchive,
  libcap,
  libevent,
  libmnl,
  libseccomp,
  libvterm-neovim,
  nftables,
  systemd,
}:
stdenv.mkDerivation {
  pname = "narthex";
  version = lib.head (builtins.match ".*\nVERSION := ([0-9.]+)\n.*" (builtins.readFile ../Makefile));

  src = lib.cleanSource ../.;

  buildInputs = [
    libarchive
    libcap
    libevent
    libmnl
    libseccomp
    libvterm-neovim
    nftables
    systemd
    # narthex-init is static
    stdenv.cc.libc.static or null
  ];

  # nixpkgs has no static libraries beside the others
  makeFlags = [
    "PREFIX=${placeholder "out"}"
    "STATIC=no"
    "MUSL="
  ];
  enableParallelBuilding = true;
  # what goes into guests names the loader and the libraries that lie beside it there
  dontPatchELF = true;

  meta = {
    description = "Lightweight containers that you can walk into";
    license = lib.licenses.mit;
    platforms = lib.platforms.linux;
    mainProgram = "narthex";
  };
}
