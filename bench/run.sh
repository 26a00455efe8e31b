#!/usr/bin/env bash
# Measures one thing on a topology of its own and ends with one JSON line: name, figures, goals, met.
#   ./bench/run.sh path [--trainings N] [--at-a-time N] [--looked N]
#   ./bench/run.sh ingest [--rounds N] [--photos N] [--many N]
#   ./bench/run.sh dataset [--rounds N] [--photos N]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
name=${1:?which bench? One of: $(find bench -maxdepth 1 -name '*.mjs' -printf '%f ' | sed 's/\.mjs//g')}
shift
[ -f "bench/$name.mjs" ] || { echo "There is no bench/$name.mjs" >&2; exit 2; }

settings=()
case $name in
  # How often a run is looked at when no webhook tells of it; the bench counts in it.
  path) settings=(--Settings:training:Driving:LookSoon=00:00:10) ;;
  # Photos stay as large as they came, or no set would hold a gigabyte.
  dataset) settings=(--Settings:uploads:Imaging:LongestSide=8192 --Settings:uploads:Imaging:Quality=100) ;;
esac

./eng/install.sh >&2
dotnet build AppHost/AppHost.csproj -c Release -v quiet -nologo -clp:NoSummary >&2
./eng/precompile.sh >&2

data=$(mktemp -d)
# PostgreSQL runs as a user of its own when started by root.
chmod 711 "$data"
# shellcheck source=../eng/apphost-environment.sh
. ./eng/apphost-environment.sh
dotnet AppHost/bin/Release/net10.0/Flurrty.AppHost.dll --Data:Directory="$data" --Providers:Replicate:Mode=sandbox --Infrastructure=native "${settings[@]}" > "$data/apphost.log" 2>&1 &
apphost=$!
stop() {
  trap - EXIT
  kill -TERM "$apphost" 2>/dev/null && wait "$apphost" 2>/dev/null
  rm -rf "$data"
}
trap stop EXIT
trap 'exit 130' INT TERM
for ((i = 0; i < 6000; i++)); do
  [ -s "$data/topology.json" ] && break
  kill -0 "$apphost" 2>/dev/null || { tail -n 40 "$data/apphost.log" >&2; exit 1; }
  sleep 0.1
done
[ -s "$data/topology.json" ] || { echo "The topology is not healthy after 600 s" >&2; tail -n 40 "$data/apphost.log" >&2; exit 1; }
node "bench/$name.mjs" "$data/topology.json" "$@"
