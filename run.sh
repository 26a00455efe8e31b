#!/usr/bin/env bash
# Starts the whole topology, trains an identity from photos, and stays up (or exits, with --once).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

usage() {
  cat <<'TEXT'
Usage: ./run.sh [options]
  --once            exit when the identity is ready (0) or not (1); the last line is one JSON object
  --photos DIR|ZIP  3 to 40 photos (JPEG, PNG, WebP, HEIC, AVIF); default samples/photos
  --name NAME       name of the identity; default "Sample"
  --provider P      auto (default) or the name of a provider
  --preset P        economy, standard (default), high or portrait
  --port N          port of the gateway; default a free one
  --strict          the Sandbox refuses loopback and http URLs, as the real providers do
  --containers      PostgreSQL, RabbitMQ and the S3 store as containers (Docker or Podman); --native forbids it; default: the programs where they are or can be installed
  --live PROVIDER   train at the real provider (replicate), for money; asks for its token if none is given, and before it spends
  --yes             with --live: do not ask before the training
  --no-walk         start the topology only
TEXT
}

refuse() {
  echo "$1" >&2
  exit 2
}

once=0 photos=samples/photos name=Sample provider=auto preset=standard port='' strict=false infrastructure=auto walk=1 live='' yes=0
while [ $# -gt 0 ]; do
  case "$1" in
    --once) once=1 ;;
    --photos) photos=${2:?--photos needs a folder or a zip file}; shift ;;
    --name) name=${2:?--name needs a name}; shift ;;
    --provider) provider=${2:?--provider needs a name}; shift ;;
    --preset) preset=${2:?--preset needs a name}; shift ;;
    --port) port=${2:?--port needs a number}; shift ;;
    --strict) strict=true ;;
    --containers) infrastructure=containers ;;
    --native) infrastructure=native ;;
    --live) live=${2:?--live needs the name of a provider}; shift ;;
    --yes) yes=1 ;;
    --no-walk) walk=0 ;;
    -h|--help) usage; exit 0 ;;
    *) echo "Unknown option: $1" >&2; usage >&2; exit 2 ;;
  esac
  shift
done

# What was given is looked at before anything is installed or built: nobody waits minutes to learn of a slip.
case $preset in economy|standard|high|portrait) ;; *) refuse "There is no preset '$preset': it is economy, standard, high or portrait." ;; esac
[[ $provider =~ ^[a-z]+$ ]] || refuse "'$provider' is not the name of a provider."
if [ -n "$port" ]; then
  [[ $port =~ ^[0-9]+$ ]] && [ "$port" -ge 1024 ] && [ "$port" -le 65535 ] || refuse "--port is a number from 1024 to 65535, not '$port'."
  ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || refuse "Port $port is taken: end what listens there, or name another."
fi
if [ "$walk" = 1 ]; then
  ./eng/photos.sh "$photos" >/dev/null || exit 2
fi
modes=() live_token=''
if [ -n "$live" ]; then
  # shellcheck source=eng/live.sh
  . ./eng/live.sh
fi

started=$EPOCHREALTIME
since() { awk -v a="$1" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }'; }
data=$PWD/.data
# Passed through by PostgreSQL's user, and read by nobody but us: the log holds the dashboard's token.
mkdir -p -m 711 "$data"
chmod go-rw "$data" 2>/dev/null || refuse "The data in $data belongs to another user. Start as that one, or use another checkout."

# The AppHost would refuse too, but after a build below the running one and with its log overwritten.
refuse_beside_another() {
  local status=0
  command -v flock >/dev/null || return 0
  flock -n -E 75 "$data/lock" true || status=$?
  if [ "$status" = 75 ]; then
    echo "Another topology runs with the data in $data. Stop it first, or use another checkout." >&2
    exit 1
  fi
}
refuse_beside_another

echo "1/4 Looking for what Flurrty runs on, installing what is missing…"
if [ "$infrastructure" = auto ]; then
  infrastructure=$(./eng/infrastructure.sh) || exit 2
  [ "$infrastructure" != installable ] || infrastructure=native
fi
if [ "$infrastructure" = containers ]; then
  ./eng/install.sh --containers
  # shellcheck source=eng/images/use.sh
  . ./eng/images/use.sh
else
  ./eng/install.sh
fi
echo "    done after $(since "$started") s"

step=$EPOCHREALTIME
echo "2/4 Building…"
dotnet build AppHost/AppHost.csproj -c Release -v quiet -nologo -clp:NoSummary
./eng/precompile.sh --cached
echo "    done after $(since "$step") s"

echo "3/4 Starting (log: .data/apphost.log)…"
refuse_beside_another
# The AppHost removes what an earlier start wrote; until then it is not ours.
topology() { stat -c '%i %y %s' "$data/topology.json" 2>/dev/null || true; }
before=$(topology)
is_written() { [ -s "$data/topology.json" ] && [ "$(topology)" != "$before" ]; }
rm -f "$data/apphost.log"
(umask 077; : >"$data/apphost.log")
# shellcheck source=eng/apphost-environment.sh
. ./eng/apphost-environment.sh
step=$EPOCHREALTIME
# By the environment: the arguments of a process can be read by others.
[ -z "$live_token" ] || export REPLICATE_API_TOKEN=$live_token
dotnet AppHost/bin/Release/net10.0/Flurrty.AppHost.dll "${modes[@]}" --DcpPublisher:WaitForResourceCleanup=true --Sandbox:Strict="$strict" --Infrastructure="$infrastructure" ${port:+--Ports:gateway="$port"} >> "$data/apphost.log" 2>&1 &
apphost=$! fill=''
[ -z "$live_token" ] || unset REPLICATE_API_TOKEN live_token

stop() {
  trap - EXIT INT TERM
  [ -z "$fill" ] || kill -TERM -- "-$fill" 2>/dev/null || kill -TERM "$fill" 2>/dev/null || true
  if kill -0 "$apphost" 2>/dev/null; then
    kill -TERM "$apphost" 2>/dev/null || true
    wait "$apphost" 2>/dev/null || true
  fi
}
trap stop EXIT
trap 'stop; exit 130' INT
trap 'stop; exit 143' TERM

for ((i = 0; i < 3000; i++)); do
  ! is_written || break
  if ! kill -0 "$apphost" 2>/dev/null; then
    echo "The AppHost ended before the topology was healthy:" >&2
    tail -n 40 "$data/apphost.log" >&2
    exit 1
  fi
  sleep 0.1
done
if ! is_written; then
  echo "The topology is not healthy after 300 s:" >&2
  tail -n 40 "$data/apphost.log" >&2
  exit 1
fi
healthy=$(since "$step")
echo "    healthy after $healthy s"

status=0
if [ "$walk" = 1 ]; then
  echo "4/4 Training an identity from $photos…"
  ./eng/walk.sh --photos "$photos" --name "$name" --provider "$provider" --preset "$preset" --yes "$yes" --healthy "$healthy" ${once:+--once "$once"} || status=$?
fi
if [ "$once" = 1 ]; then
  # The JSON stays the last line: stopping says nothing.
  exit "$status"
fi

jq -r '"\nGateway    \(.gateway)\nDashboard  \(.dashboard)/login?t=\(.dashboard_token)\nAPI key    \(.development_key)\n\nEverything else is in .data/topology.json. Ctrl-C stops it."' "$data/topology.json"
# While it stays up there is time to compile for the next start, which then needs not. In a group of its own, which a stop ends whole.
setsid nice -n 19 ./eng/precompile.sh --fill >/dev/null 2>&1 &
fill=$!
wait "$apphost"
