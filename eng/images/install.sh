#!/usr/bin/env bash
# Installs Podman and what builds the stand-in images from Debian packages, by sudo where we are not root. May run any number of times;
# when everything is there it only looks. Nothing below /etc is edited. Usage: eng/images/install.sh
set -euo pipefail
# shellcheck source=images.sh
. "$(dirname "${BASH_SOURCE[0]}")/images.sh"
[ $# = 0 ] || die "usage: eng/images/install.sh"

mapfile -t missing < <(missing_packages)
if [ ${#missing[@]} -gt 0 ]; then
  say "installing these Debian packages: ${missing[*]}"
  as=()
  command -v apt-get >/dev/null || die "these are missing and there is no apt-get to install them: ${missing[*]}"
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || die "these packages are missing; as root, run: apt-get install --no-install-recommends ${missing[*]}"
    as=(sudo)
    say "sudo is needed for these packages only"
  fi
  "${as[@]}" env DEBIAN_FRONTEND=noninteractive bash -euc 'apt-get -q update && apt-get -q -y install --no-install-recommends "$@"' install "${missing[@]}"
fi
need_podman
say "Podman $(podman version --format '{{.Client.Version}}') runs here"
