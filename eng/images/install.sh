#!/usr/bin/env bash
# Installs Podman and what builds the stand-in images from Debian packages, by sudo where we are not root. May run any number of times;
# when everything is there it only looks. Nothing below /etc is edited. Usage: eng/images/install.sh
set -euo pipefail
# shellcheck source=images.sh
. "$(dirname "${BASH_SOURCE[0]}")/images.sh"
# shellcheck source=../packages.sh
. "$repository/eng/packages.sh"
[ $# = 0 ] || die "usage: eng/images/install.sh"

mapfile -t missing < <(missing_packages)
if [ ${#missing[@]} -gt 0 ]; then
  install_packages "${missing[@]}"
fi
need_podman
say "Podman $(podman version --format '{{.Client.Version}}') runs here"
