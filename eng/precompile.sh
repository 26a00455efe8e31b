#!/usr/bin/env bash
# Replaces the assemblies of the services' Release builds by ready-to-run ones (IL plus native code), so that a start does not wait for the
# just-in-time compiler. What was compiled once is kept in artifacts/precompiled by its content. Does nothing where the compiler of this
# SDK cannot be had: everything runs without it, only slower at first.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

case $(uname -m) in
  x86_64) arch=x64 ;;
  aarch64) arch=arm64 ;;
  *) exit 0 ;;
esac
project=eng/precompile/precompile.proj
version=$(dotnet msbuild "$project" -getProperty:BundledNETCoreAppPackageVersion)
packages=$(dotnet nuget locals global-packages --list --force-english-output | sed -n 's/^global-packages: \(.*[^/]\)\/*$/\1/p')
compiler=$packages/microsoft.netcore.app.crossgen2.linux-$arch/$version/tools/crossgen2
if [ ! -e "$compiler" ]; then
  dotnet restore "$project" -p:Platform="linux-$arch" -v quiet >/dev/null 2>&1 || true
fi
# Unpacked by NuGet, it need not be executable.
if ! { [ -x "$compiler" ] || chmod +x "$compiler" 2>/dev/null; }; then
  echo "precompile: the compiler $version is not to be had; the services start without it" >&2
  exit 0
fi

shared=$(dirname "$(dotnet --list-runtimes | sed -n 's/^Microsoft\.NETCore\.App [^ ]* \[\(.*\)\]$/\1/p' | tail -1)")
cache=$PWD/artifacts/precompiled/$version
mkdir -p "$cache"
export compiler shared version cache arch

compile() {
  local file=$1 key out
  key=$(sha256sum "$file" | cut -d' ' -f1)
  out=$cache/$key
  # What this script made itself is found under its own sum.
  [ ! -e "$out.made" ] || return 0
  if [ ! -e "$out" ]; then
    "$compiler" "$file" -o "$out.$$" --targetos linux --targetarch "$arch" -O \
      -r "$shared/Microsoft.NETCore.App/$version/*.dll" -r "$shared/Microsoft.AspNetCore.App/$version/*.dll" -r "$(dirname "$file")/*.dll" >"$out.log" 2>&1 ||
      cp "$file" "$out.$$"
    : >"$cache/$(sha256sum "$out.$$" | cut -d' ' -f1).made"
    mv "$out.$$" "$out"
    rm -f "$out.log"
  fi
  # Moved into place: a process that runs from the file keeps the old one.
  cp "$out" "$file.precompiled"
  mv "$file.precompiled" "$file"
}
export -f compile

for project in Gateway UploadService TrainingService RegistryService Migrations Sandbox AppHost; do
  find "$project/bin/Release/net10.0" -maxdepth 1 -name '*.dll' 2>/dev/null
done | xargs -P "$(nproc)" -I{} bash -c 'compile {}'
