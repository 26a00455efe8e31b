#!/usr/bin/env bash
# Starts the whole topology, trains an identity from photos, and stays up (or exits, with --once).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

usage() {
  cat <<'TEXT'
Usage: ./run.sh [options]
  --once            exit when the identity is ready (0) or not (1); the last line is one JSON object
  --photos DIR      a folder of 3 to 40 photos (JPEG, PNG, WebP); default samples/photos
  --name NAME       name of the identity; default "Sample"
  --provider P      auto (default) or the name of a provider
  --preset P        economy, standard (default), high or portrait
  --strict          the Sandbox refuses loopback and http URLs, as the real providers do
  --aspire ARM      local (default) or packages: who provides the Aspire hosting API
  --no-walk         start the topology only
TEXT
}

once=0 photos=samples/photos name=Sample provider=auto preset=standard strict=false aspire=local walk=1
while [ $# -gt 0 ]; do
  case "$1" in
    --once) once=1 ;;
    --photos) photos=${2:?--photos needs a folder}; shift ;;
    --name) name=${2:?--name needs a name}; shift ;;
    --provider) provider=${2:?--provider needs a name}; shift ;;
    --preset) preset=${2:?--preset needs a name}; shift ;;
    --strict) strict=true ;;
    --aspire) aspire=${2:?--aspire needs local or packages}; shift ;;
    --no-walk) walk=0 ;;
    -h|--help) usage; exit 0 ;;
    *) echo "Unknown option: $1" >&2; usage >&2; exit 2 ;;
  esac
  shift
done

./eng/install.sh
echo "Building…"
dotnet build AppHost/AppHost.csproj -c Release -v quiet -nologo -p:AspireHosting="$aspire" -clp:NoSummary
./eng/precompile.sh

data=$PWD/.data
mkdir -p "$data"
rm -f "$data/topology.json"
built=$EPOCHREALTIME
ASPNETCORE_ENVIRONMENT=Development DOTNET_ENVIRONMENT=Development \
  dotnet AppHost/bin/Release/net10.0/Flurrty.AppHost.dll --Sandbox:Strict="$strict" > "$data/apphost.log" 2>&1 &
apphost=$!

stop() {
  trap - EXIT INT TERM
  if kill -0 "$apphost" 2>/dev/null; then
    kill -TERM "$apphost" 2>/dev/null || true
    wait "$apphost" 2>/dev/null || true
  fi
}
trap stop EXIT
trap 'stop; exit 130' INT
trap 'stop; exit 143' TERM

echo "Starting (log: .data/apphost.log)…"
for ((i = 0; i < 1200; i++)); do
  [ -s "$data/topology.json" ] && break
  if ! kill -0 "$apphost" 2>/dev/null; then
    echo "The AppHost ended before the topology was healthy:" >&2
    tail -n 40 "$data/apphost.log" >&2
    exit 1
  fi
  sleep 0.1
done
if [ ! -s "$data/topology.json" ]; then
  echo "The topology is not healthy after 120 s:" >&2
  tail -n 40 "$data/apphost.log" >&2
  exit 1
fi
healthy=$(awk -v a="$built" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }')
echo "Healthy after $healthy s."

status=0
if [ "$walk" = 1 ]; then
  ./eng/walk.sh --photos "$photos" --name "$name" --provider "$provider" --preset "$preset" --healthy "$healthy" ${once:+--once "$once"} || status=$?
fi
if [ "$once" = 1 ]; then
  # The JSON stays the last line: stopping says nothing.
  exit "$status"
fi

jq -r '"\nGateway    \(.gateway)\nDashboard  \(.dashboard)/login?t=\(.dashboard_token)\nAPI key    \(.development_key)\n\nEverything else is in .data/topology.json. Ctrl-C stops it."' "$data/topology.json"
wait "$apphost"
