#!/bin/sh
# Makes a bare Debian ready to run or test this checkout: system packages (as root), node modules with the pinned Node, native part.
# Does only what is missing, says what it does, starts no service. Usage: setup.sh start|test
# Plain sh, because the Node that is there before may be too old for anything else.
set -eu
cd "$(dirname "$0")/.."
for_what=${1:-start}

# lxc-dev and libnl: to build. lxc and the rest: to run; which is for what is told by `lockstep doctor`.
packages='g++ make pkg-config lxc lxc-dev libnl-3-dev libnl-route-3-dev
  btrfs-progs dnsmasq-base nftables iproute2 busybox-static mmdebstrap
  zstd xz-utils attr acl uidmap squashfs-tools kmod mount
  git openssh-client ca-certificates'

say() { echo "setup: $*" >&2; }

missing_packages() {
  command -v dpkg-query > /dev/null || return 0
  for package in $packages; do
    status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2> /dev/null) || status=
    [ "$status" = installed ] || echo "$package"
  done
}

install_packages() {
  missing=$(missing_packages | tr '\n' ' ')
  [ -n "$missing" ] || return 0
  if ! command -v apt-get > /dev/null; then
    say "these Debian packages, or what your system calls them, are needed: $missing"
  elif [ "$(id -u)" != 0 ]; then
    say "these packages are missing, and only root can install them: apt-get install $missing"
  else
    say "installing system packages: $missing"
    apt-get -qq update
    # Without recommended packages: no more than what is named, and no services with it.
    # shellcheck disable=SC2086 # a list of words
    DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends \
      -o Dpkg::Options::=--force-confold -o Dpkg::Use-Pty=0 install $missing > /dev/null
  fi
}

install_modules() {
  stamp=node_modules/.lockstep-lock
  if node_modules/.bin/node --version > /dev/null 2>&1; then
    # Unchanged since `npm ci` here, or installed by hand after the last change.
    cmp -s package-lock.json "$stamp" && return 0
    [ -e node_modules/.package-lock.json ] && [ ! package-lock.json -nt node_modules/.package-lock.json ] && return 0
  fi
  say 'installing node modules (with Node itself, about 400 MB)'
  npm ci --no-audit --no-fund --loglevel=error >&2
  # Debian 12's npm (9.2) installs the pinned Node without linking its program.
  for node in node_modules/node-linux-*/bin/node; do
    [ -x node_modules/.bin/node ] || { [ -x "$node" ] && ln -sf "../${node#node_modules/}" node_modules/.bin/node; }
  done
  if ! node_modules/.bin/node --version > /dev/null 2>&1; then
    say "there is no pinned Node for this machine ($(uname -m)) in node_modules"
    exit 1
  fi
  cp package-lock.json "$stamp"
}

build_native() {
  if ! command -v g++ > /dev/null || ! command -v make > /dev/null || ! command -v pkg-config > /dev/null; then
    say 'the native part is not built: g++, make or pkg-config is missing'
    return 1
  fi
  # -q only asks whether anything is older than its sources.
  if ! make -s -q -C native > /dev/null 2>&1; then
    say 'building the native part'
    make -s -C native -j "$(nproc)"
  fi
}

if [ "$for_what" = start ] && [ "$(id -u)" != 0 ]; then
  say 'Lockstep runs containers, networks and mounts: it must be started as root.'
  exit 1
fi
install_packages
install_modules
if ! build_native; then
  # The unit tests do without it.
  if [ "$for_what" = start ] || [ "$(id -u)" = 0 ]; then exit 1; fi
fi
