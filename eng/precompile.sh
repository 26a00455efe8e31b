#!/usr/bin/env bash
# Replaces the assemblies of the services' Release builds by ready-to-run ones (IL plus native code), so that a start does not wait for the
# just-in-time compiler. What was compiled once is kept in the user's cache by its content, for every checkout. Does nothing where the compiler
# of this SDK cannot be had: everything runs without it, only slower at first.
#   --cached   only takes what was compiled before: a person's first start does not wait for a compiler
#   --fill     only compiles into the cache and replaces nothing: for beside a running topology
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
mode=${1:-all}
case $mode in all | --cached | --fill) ;; *) echo "usage: eng/precompile.sh [--cached|--fill]" >&2; exit 2 ;; esac

case $(uname -m) in
  x86_64) arch=x64 ;;
  aarch64) arch=arm64 ;;
  *) exit 0 ;;
esac
project=eng/precompile/precompile.proj
version=$(dotnet msbuild "$project" -getProperty:BundledNETCoreAppPackageVersion)
packages=$(dotnet nuget locals global-packages --list --force-english-output | sed -n 's/^global-packages: \(.*[^/]\)\/*$/\1/p')
compiler=$packages/microsoft.netcore.app.crossgen2.linux-$arch/$version/tools/crossgen2
if [ ! -e "$compiler" ] && [ "$mode" != --cached ]; then
  dotnet restore "$project" -p:Platform="linux-$arch" -v quiet >/dev/null 2>&1 || true
fi
# Unpacked by NuGet, it need not be executable.
if [ "$mode" != --cached ] && ! { [ -x "$compiler" ] || chmod +x "$compiler" 2>/dev/null; }; then
  echo "precompile: the compiler $version is not to be had; the services start without it" >&2
  exit 0
fi

shared=$(dirname "$(dotnet --list-runtimes | sed -n 's/^Microsoft\.NETCore\.App [^ ]* \[\(.*\)\]$/\1/p' | tail -1)")
cache=${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/flurrty/precompiled/$version-$arch
mkdir -p "$cache" 2>/dev/null && [ -w "$cache" ] || cache=$PWD/artifacts/precompiled/$version
mkdir -p "$cache"
# Beside what it becomes, so that it is moved there at once; what a start that was killed left is older than any compilation.
find "$cache" -mindepth 1 -maxdepth 1 -name '*.*' ! -name '*.made' -mmin +60 -exec rm -rf {} +
work=$(mktemp -d "$cache/work.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
export compiler shared version cache arch mode work

compile() {
  local file=$1 key out own copy status=0
  key=$(sha256sum "$file" | cut -d' ' -f1)
  out=$cache/$key
  # What this script made itself is found under its own sum.
  [ ! -e "$out.made" ] || return 0
  if [ ! -e "$out" ]; then
    [ "$mode" != --cached ] || return 0
    # From a copy: a build beside us may write the file anew, and what another file became must not be kept under this one's sum.
    own=$work/$$
    mkdir "$own"
    copy=$own/$(basename "$file")
    cp "$file" "$copy"
    [ "$(sha256sum "$copy" | cut -d' ' -f1)" = "$key" ] || return 0
    "$compiler" "$copy" -o "$own/out" --targetos linux --targetarch "$arch" -O \
      -r "$shared/Microsoft.NETCore.App/$version/*.dll" -r "$shared/Microsoft.AspNetCore.App/$version/*.dll" -r "$(dirname "$file")/*.dll" >"$own/log" 2>&1 || status=$?
    # What cannot be compiled stays as it is; a compiler that was killed says nothing of that.
    [ "$status" -lt 128 ] || return 0
    [ "$status" = 0 ] || cp "$copy" "$own/out"
    : >"$cache/$(sha256sum "$own/out" | cut -d' ' -f1).made"
    mv "$own/out" "$out"
    rm -rf "$own"
  fi
  [ "$mode" != --fill ] || return 0
  [ "$(sha256sum "$file" | cut -d' ' -f1)" = "$key" ] || return 0
  # Moved into place: a process that runs from the file keeps the old one.
  cp "$out" "$file.precompiled"
  mv "$file.precompiled" "$file"
}
export -f compile

for project in Gateway UploadService TrainingService RegistryService Migrations Sandbox AppHost; do
  # Not what only migrations are made with, nor what the AppHost loads little of: compiling it would take longer than it saves.
  find "$project/bin/Release/net10.0" -maxdepth 1 -name '*.dll' ! -name 'Microsoft.CodeAnalysis*' ! -name 'Microsoft.Build*' ! -name 'Microsoft.EntityFrameworkCore.Design.dll' \
    ! -name 'Humanizer*' ! -name 'Mono.TextTemplating.dll' ! -name 'Hex1b*' ! -name 'ModelContextProtocol*' ! -name 'Microsoft.Extensions.AI*' ! -name 'KubernetesClient.dll' ! -name 'Microsoft.VisualStudio.*' ! -name 'Newtonsoft.Json.dll' 2>/dev/null
done | xargs -P "$(nproc)" -I{} bash -c 'compile {}'
