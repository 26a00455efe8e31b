# shellcheck shell=bash
# Sourced by the scripts here: which images there are, where they are kept, and with which settings Podman runs them.

# Debian 13 on every machine, so that the versions do not depend on it; they are of the official images' major versions in use.
SUITE=trixie
POSTGRES_MAJOR=17
RABBITMQ_VERSION=4.0
SWIFT_VERSION=2.35

BASE_IMAGE=localhost/flurrty-base:$SUITE
POSTGRES_IMAGE=localhost/flurrty-postgres:$POSTGRES_MAJOR
RABBITMQ_IMAGE=localhost/flurrty-rabbitmq:$RABBITMQ_VERSION
S3_IMAGE=localhost/flurrty-s3:$SWIFT_VERSION

# netavark calls iptables, which is not on the path of an ordinary user.
[[ :$PATH: = *:/usr/sbin:* ]] || PATH=$PATH:/usr/sbin:/sbin

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
# One store for each user: what root unpacked nobody else can use.
store=${FLURRTY_CONTAINERS:-$repository/artifacts/containers}/$(id -u)
settings=$store/containers.conf
storage_settings=$store/storage.conf

# The images that the AppHost starts, one a line: the official ones, or what Images__postgres and so on name in their place.
started_images() {
  local server image given
  while read -r server image; do
    given=Images__$server
    echo "${!given:-$image}"
  done <"$repository/AppHost/Infrastructure/containers/images.txt"
}

say() { printf 'images: %s\n' "$*"; }

die() {
  printf 'images: %s\n' "$*" >&2
  exit 1
}

# Each thing that is not there, one a line; nothing when Podman can run here. The packages' names are Debian's.
missing_packages() {
  local package
  for package in podman mmdebstrap iptables; do
    command -v "$package" >/dev/null || echo "$package"
  done
  command -v runc >/dev/null || command -v crun >/dev/null || echo runc
  for package in netavark aardvark-dns; do
    [ -x "/usr/lib/podman/$package" ] || [ -x "/usr/libexec/podman/$package" ] || echo "$package"
  done
  if [ "$(id -u)" != 0 ]; then
    command -v newuidmap >/dev/null || echo uidmap
    command -v slirp4netns >/dev/null || echo slirp4netns
  fi
}

# What no package brings: said, never changed.
missing_rights() {
  local user
  [ "$(id -u)" != 0 ] || return 0
  user=$(id -un)
  if [ "$(cat /proc/sys/user/max_user_namespaces 2>/dev/null || echo 1)" = 0 ] || [ "$(cat /proc/sys/kernel/unprivileged_userns_clone 2>/dev/null || echo 1)" = 0 ]; then
    echo "this machine gives ordinary users no user namespaces; as root, set the kernel settings user.max_user_namespaces and kernel.unprivileged_userns_clone"
  fi
  if [ -e /dev/net/tun ] && ! { [ -r /dev/net/tun ] && [ -w /dev/net/tun ]; }; then
    echo "ordinary users may not open /dev/net/tun, by which containers reach the network; as root, run: chmod 666 /dev/net/tun"
  fi
  if ! grep -qE "^($user|$(id -u)):" /etc/subuid 2>/dev/null || ! grep -qE "^($user|$(id -u)):" /etc/subgid 2>/dev/null; then
    echo "the user $user has no further user ids; as root, run: usermod --add-subuids 200000-265535 --add-subgids 200000-265535 $user"
  fi
}

limit() { # the limit with this letter in ulimit, at most $2
  local given
  given=$(ulimit -H "-$1")
  if [ "$given" = unlimited ] || ((given > $2)); then given=$2; fi
  echo "$given:$given"
}

replace() { # file: its new text on standard input, written only where it differs
  local text
  text=$(cat)
  [ "$(cat "$1" 2>/dev/null)" = "$text" ] || { printf '%s\n' "$text" >"$1.$$" && mv "$1.$$" "$1"; }
}

# Settings of our own in place of the machine's. The running state goes where a restart of the machine empties it; Podman wants a short path there.
write_settings() {
  local state name runtime=runc
  name=flurrty-$(printf %s "$store" | sha256sum | head -c 12)
  if [ "$(id -u)" = 0 ]; then
    state=/run/$name
  elif [ -n "${XDG_RUNTIME_DIR:-}" ] && [ -O "$XDG_RUNTIME_DIR" ] && [ -w "$XDG_RUNTIME_DIR" ] && ((${#XDG_RUNTIME_DIR} < 25)); then
    state=$XDG_RUNTIME_DIR/$name
  else
    state=/tmp/$name
  fi
  mkdir -p "$store/networks"
  mkdir -p -m 700 "$state"
  [ -O "$state" ] || die "$state belongs to somebody else."
  command -v runc >/dev/null || runtime=crun
  # The limits: Podman asks for more than a restricted machine grants. runc and cgroupfs: they work with each kind of cgroups, and without systemd.
  replace "$settings" <<TOML
[containers]
default_ulimits = ["nofile=$(limit n 65536)", "nproc=$(limit u "$(($(cat /proc/sys/kernel/pid_max) < 32768 ? $(cat /proc/sys/kernel/pid_max) : 32768))")"]
log_driver = "k8s-file"

[engine]
runtime = "$runtime"
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
tmp_dir = "$state/libpod"

[network]
network_backend = "netavark"
network_config_dir = "$store/networks"
TOML
  replace "$storage_settings" <<TOML
[storage]
driver = "overlay"
graphroot = "$store/storage"
runroot = "$state"
rootless_storage_path = "$store/storage"
TOML
}

use_settings() {
  write_settings
  export PATH CONTAINERS_CONF=$settings CONTAINERS_STORAGE_CONF=$storage_settings
  unset CONTAINER_HOST DOCKER_HOST
}

# Dies with all that is missing at once.
need_podman() {
  local missing rights
  missing=$(missing_packages | paste -sd ' ')
  rights=$(missing_rights)
  [ -z "$missing" ] || printf 'images: these are missing: %s; run eng/images/install.sh, which installs them.\n' "$missing" >&2
  [ -z "$rights" ] || sed 's/^/images: /; s/$/./' <<<"$rights" >&2
  [ -z "$missing$rights" ] || exit 1
  use_settings
  local words
  words=$(podman info 2>&1 >/dev/null) || die "Podman does not run here: ${words:-podman info failed}"
}
