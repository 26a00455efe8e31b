#!/usr/bin/env bash
# Puts the official Aspire orchestrator (DCP) and dashboard under artifacts/aspire and prints that directory.
# They come from the npm package that package.json pins; the unpacked files are shared by all clones of a user.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
root="$(cd "$here/../.." && pwd)"
link="$root/artifacts/aspire"
package="@microsoft/aspire-cli-linux-x64"
version="$(sed -n "s|.*\"$package\": \"\([0-9.]*\)\".*|\1|p" "$here/package.json")"
cache="${XDG_CACHE_HOME:-$HOME/.cache}/flurrty"
layout="$cache/aspire-$version"

is_complete() {
  [ -x "$1/dcp/dcp" ] && [ -x "$1/managed/aspire-managed" ]
}

if [ "$(uname -sm)" != "Linux x86_64" ]; then
  echo "The pinned Aspire package is for Linux on x86-64; this is $(uname -sm)." >&2
  exit 1
fi

mkdir -p "$cache" "$root/artifacts"
if ! is_complete "$layout"; then
  # Two clones may install at once: the first one does it, the other one waits.
  exec 9>"$cache/aspire-$version.lock"
  flock 9
fi
if ! is_complete "$layout"; then
  command -v npm >/dev/null || { echo "npm is needed to get the Aspire package." >&2; exit 1; }
  work="$(mktemp -d "$cache/aspire-$version.XXXXXX")"
  trap 'rm -rf "$work"' EXIT
  mkdir "$work/home"
  cp "$here/package.json" "$here/package-lock.json" "$work/"
  echo "Getting $package $version …" >&2
  (cd "$work" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error) >&2
  # The command unpacks beside itself. It is given a home of its own, and no leave to send anything anywhere.
  env -u ASPIRE_LAYOUT_PATH HOME="$work/home" ASPIRE_CLI_TELEMETRY_OPTOUT=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 \
    "$work/node_modules/$package/bin/aspire" setup >"$work/setup.log" 2>&1 </dev/null || { cat "$work/setup.log" >&2; exit 1; }
  unpacked="$(dirname "$(find "$work/node_modules/$package/versions" -mindepth 2 -maxdepth 2 -type d -name dcp -print -quit)")"
  is_complete "$unpacked" || { echo "The Aspire package did not unpack as expected." >&2; cat "$work/setup.log" >&2; exit 1; }
  rm -rf "$layout"
  mv "$unpacked" "$layout"
fi

# A directory put there by hand is left alone.
if [ -L "$link" ] || [ ! -e "$link" ]; then
  ln -sfn "$layout" "$link"
fi
is_complete "$link" || { echo "$link is not a layout with dcp and managed in it." >&2; exit 1; }
echo "$link"
