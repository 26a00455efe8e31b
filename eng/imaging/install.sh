#!/usr/bin/env bash
# Puts the libvips that the imaging child loads into artifacts/imaging. Safe to repeat; needs npm once per machine.
# Without it the service falls back to the distribution's libvips.so.42, which is slower by about a third.
set -euo pipefail

version=1.3.4
case "$(uname -m)" in
  x86_64) arch=x64 sha512=189fff4925db9f04837acd36ba60779c324b15c433c3c6b5f15f1fca1aabead579d79b4e10c7489a38f18f502869f311cf9e85dcf1e07ed9e3d5010a494d7393 ;;
  aarch64) arch=arm64 sha512=6377605ffea513642141bf86c72d166717e0f4c126fc90636a66694b622494fef1210a0a378873026eca70c546b5a543b779de13d38a042eef01fa2703f2ebd4 ;;
  *) echo "imaging: no prebuilt libvips for $(uname -m); the system's libvips.so.42 is used" >&2; exit 0 ;;
esac

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
target=$root/artifacts/imaging
cache=${XDG_CACHE_HOME:-$HOME/.cache}/flurrty/imaging/$version-$arch

[ -f "$target/.version" ] && [ "$(cat "$target/.version")" = "$version-$arch" ] && exit 0

if [ ! -f "$cache/.version" ]; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  archive=$(cd "$work" && npm pack --silent "@img/sharp-libvips-linux-$arch@$version" 2>/dev/null | tail -n 1)
  echo "$sha512  $work/$archive" | sha512sum --check --quiet - || { echo "imaging: the package is not the one that was pinned" >&2; exit 1; }
  mkdir "$work/out"
  tar -xzf "$work/$archive" -C "$work" --no-same-owner
  cp "$work"/package/lib/libvips-cpp.so.* "$work/package/versions.json" "$work/package/README.md" "$work/out/"
  # The child runs as another user, whatever the umask here.
  chmod 755 "$work/out" && chmod 644 "$work"/out/*
  echo "$version-$arch" > "$work/out/.version"
  mkdir -p "$(dirname "$cache")"
  rm -rf "$cache.$$" && cp -r "$work/out" "$cache.$$"
  mv -T "$cache.$$" "$cache" 2>/dev/null || rm -rf "$cache.$$"
fi

mkdir -p "$(dirname "$target")"
rm -rf "$target.$$" && cp -r "$cache" "$target.$$"
chmod 755 "$target.$$"
rm -rf "$target" && mv -T "$target.$$" "$target"
echo "imaging: libvips of sharp-libvips $version is in artifacts/imaging"
