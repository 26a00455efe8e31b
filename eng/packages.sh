# shellcheck shell=bash
# Sourced by the installers; needs their say and die.

# Installs Debian packages, by sudo where we are not root. They bring system services, which must neither start now nor at the next boot, nor make a
# database of their own: we run ours.
install_packages() { # package…
  local as=() policy=/usr/sbin/policy-rc.d cluster=/etc/postgresql-common/createcluster.d/flurrty.conf
  say "installing these Debian packages: $*"
  command -v apt-get >/dev/null || die "these are missing and there is no apt-get to install them: $*"
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || die "these packages are missing; as root, run: apt-get install --no-install-recommends $*"
    as=(sudo)
    say "sudo is needed for these packages only"
  fi
  "${as[@]}" env DEBIAN_FRONTEND=noninteractive bash -euc '
    policy=$1 cluster=$2
    shift 2
    restore() {
      rm -f "$cluster" "$policy"
      if [ -e "$policy.before-flurrty" ]; then mv "$policy.before-flurrty" "$policy"; fi
    }
    trap restore EXIT
    if [ -e "$policy" ] && [ ! -e "$policy.before-flurrty" ]; then mv "$policy" "$policy.before-flurrty"; fi
    printf "#!/bin/sh\nexit 101\n" >"$policy"
    chmod 755 "$policy"
    mkdir -p "${cluster%/*}"
    echo "create_main_cluster = false" >"$cluster"
    apt-get -q update
    apt-get -q -y install --no-install-recommends "$@"
    if command -v systemctl >/dev/null; then
      for package in "$@"; do
        case $package in
          postgresql | rabbitmq-server | memcached) systemctl disable --quiet "$package" 2>/dev/null || true ;;
          podman)
            # Of the system and, by --global, of each user.
            for unit in podman.socket podman.service podman-restart.service podman-auto-update.timer podman-auto-update.service; do
              systemctl disable --quiet "$unit" 2>/dev/null || true
              systemctl --global disable --quiet "$unit" 2>/dev/null || true
            done ;;
        esac
      done
    fi
  ' install "$policy" "$cluster" "$@"
}
