#!/usr/bin/env bash
# Installs what Flurrty runs on: Debian packages (by sudo where we are not root) and a few things below artifacts/ (as the caller).
# May run any number of times; when everything is there it only looks. Usage: eng/install.sh [--tests] [--containers] [--missing]
#   --tests        also what only the tests need
#   --missing      installs nothing: prints the Debian packages that are missing, one a line
#   --containers   without PostgreSQL, RabbitMQ and the S3 store, which run as containers then
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

say() { printf 'install: %s\n' "$*"; }

die() {
  printf 'install: %s\n' "$*" >&2
  exit 1
}

# shellcheck source=packages.sh
. eng/packages.sh

tests= containers= only_missing=
for argument in "$@"; do
  case $argument in
    --tests) tests=1 ;;
    --containers) containers=1 ;;
    --missing) only_missing=1 ;;
    *) die "usage: eng/install.sh [--tests] [--containers] [--missing]" ;;
  esac
done

# 1. What we do not install ourselves.
command -v dotnet >/dev/null || die "the .NET SDK was not found; install version $(sed -n 's/.*"version": *"\(.*\)".*/\1/p' global.json 2>/dev/null) or newer and run this again."
dotnet --version >/dev/null 2>&1 || die "no installed .NET SDK satisfies global.json; install version $(sed -n 's/.*"version": *"\(.*\)".*/\1/p' global.json) or newer and run this again."
command -v npm >/dev/null || die "npm was not found; install Node.js with npm and run this again."

# 2. Debian packages. What is looked for is the thing itself, so that it may come from anywhere.
missing=()

package() { # name, path or pattern that must exist…
  local name=$1 path
  shift
  for path in "$@"; do
    # shellcheck disable=SC2086
    compgen -G "$path" >/dev/null || {
      missing+=("$name")
      return
    }
  done
}

program() { # package, program
  command -v "$2" >/dev/null || missing+=("$1")
}

modules=/usr/lib/python3/dist-packages
PATH=$PATH:/usr/sbin:/sbin
if [ -z "$containers" ]; then
  package postgresql '/usr/lib/postgresql/*/bin/initdb'
  package rabbitmq-server /usr/lib/rabbitmq/bin/rabbitmq-server
  program memcached memcached
fi
program bubblewrap bwrap
program util-linux setpriv
program curl curl
program jq jq
package python3 /usr/bin/python3
package libvips42 '/usr/lib/*/libvips.so.42'
package libheif1 '/usr/lib/*/libheif.so.1' # HEIC and AVIF; from Debian 13 on its decoders are packages of their own
if apt-cache show libheif-plugin-libde265 libheif-plugin-dav1d >/dev/null 2>&1; then
  package libheif-plugin-libde265 '/usr/lib/*/libheif/plugins/libheif-libde265.so'
  package libheif-plugin-dav1d '/usr/lib/*/libheif/plugins/libheif-dav1d.so'
fi
if [ -z "$containers" ]; then
  package libisal2 '/usr/lib/*/libisal.so.2' # CRC32C, a checksum that S3 clients may choose
  package python3-cffi "$modules/cffi"
  package python3-cryptography "$modules/cryptography"
  package python3-dnspython "$modules/dns"
  package python3-eventlet "$modules/eventlet"
  package python3-greenlet "$modules/greenlet"
  package python3-lxml "$modules/lxml"
  package python3-openssl "$modules/OpenSSL"
  package python3-oslo.config "$modules/oslo_config"
  package python3-oslo.log "$modules/oslo_log"
  package python3-pastedeploy "$modules/paste/deploy"
  package python3-pyeclib "$modules/pyeclib"
  package python3-requests "$modules/requests"
  package python3-xattr "$modules/xattr"
fi
if [ -n "$tests" ]; then
  program chromium chromium
  program libimage-exiftool-perl exiftool
  program libheif-examples heif-enc
  package python3-pil "$modules/PIL"
fi

if [ -n "$only_missing" ]; then
  [ ${#missing[@]} -eq 0 ] || printf '%s\n' "${missing[@]}"
  exit
fi

if [ ${#missing[@]} -gt 0 ]; then
  install_packages "${missing[@]}"
fi

# 3. OpenStack Swift, the S3 store. The AWS SDK needs 2.35, which Debian has from version 13 on. The one package is unpacked below
# artifacts/, with an apt configuration of its own: the machine's is read for its mirror and left alone.
install_swift() {
  local work cache keyring uri deb options
  cache=${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/flurrty
  work=$(mktemp -d)
  # shellcheck disable=SC2064
  trap "rm -rf '$work'" EXIT
  mkdir -p "$cache" 2>/dev/null && [ -w "$cache" ] || cache=$work
  deb=$(compgen -G "$cache/python3-swift_2.3[5-9]*_all.deb" | sort -V | tail -n 1 || true)
  if [ -z "$deb" ]; then
    command -v apt-get >/dev/null || die "OpenStack Swift comes from a Debian mirror, and there is no apt-get here."
    # shellcheck disable=SC1091
    . /etc/os-release
    uri=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
      awk -v release="${VERSION_CODENAME:-}" '$3 == "main" && ($2 == release || $2 ~ /^(old)*stable$/) { print $1; exit }')
    [ -n "$uri" ] || die "apt has no Debian mirror configured to take OpenStack Swift from."
    keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    mkdir -p "$work/none" "$work/lists/partial" "$work/cache/archives/partial"
    echo "deb $([ ! -e $keyring ] || echo "[signed-by=$keyring] ")$uri trixie main" >"$work/sources.list"
    options=(-qq -o "Dir::Etc::sourcelist=$work/sources.list" -o Dir::Etc::sourceparts=- -o "Dir::Etc::preferencesparts=$work/none" -o "Dir::State::lists=$work/lists"
      -o "Dir::Cache=$work/cache" -o Acquire::Languages=none -o APT::Sandbox::User="$(id -un)")
    # Hooks of the machine's apt may complain when it is not run as root, so its words matter only if it fails.
    (cd "$work" && apt-get "${options[@]}" update && apt-get "${options[@]}" download python3-swift) >"$work/log" 2>&1 || {
      cat "$work/log" >&2
      die "python3-swift of Debian 13 could not be loaded from the machine's Debian mirror."
    }
    deb=$(compgen -G "$work/python3-swift_*.deb")
    if [ "$cache" != "$work" ]; then
      mv "$deb" "$cache/"
      deb=$cache/${deb##*/}
    fi
  fi
  mkdir -p artifacts
  rm -rf artifacts/swift.new artifacts/swift
  dpkg -x "$deb" "$work/swift"
  mv "$work/swift$modules" artifacts/swift.new
  /usr/bin/python3 -m compileall -q artifacts/swift.new
  chmod -R u=rwX,go=rX artifacts/swift.new
  PYTHONPATH=artifacts/swift.new /usr/bin/python3 -c 'import swift.proxy.server, swift.common.middleware.s3api.s3api' ||
    die "OpenStack Swift was unpacked but does not load."
  mv artifacts/swift.new artifacts/swift
  rm -rf "$work"
  trap - EXIT
}

if [ -z "$containers" ] && ! compgen -G 'artifacts/swift/swift-2.3[5-9]*' >/dev/null; then
  say "unpacking OpenStack Swift (the S3 store) into artifacts/swift"
  install_swift
fi

# 4. From npm: the image library.
for part in eng/imaging/install.sh; do
  if [ -x "$part" ]; then
    "$part"
  fi
done
