#!/usr/bin/env bash
# Trains one identity through the gateway of a running topology and shows its progress; its last line is one JSON object.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
topology=.data/topology.json photos=samples/photos name=Sample provider=auto preset=standard healthy=null once=0 yes=0 limit=900
while [ $# -gt 0 ]; do
  case "$1" in
    --topology) topology=$2 ;;
    --photos) photos=$2 ;;
    --name) name=$2 ;;
    --provider) provider=$2 ;;
    --preset) preset=$2 ;;
    --healthy) healthy=$2 ;;
    --once) once=$2 ;;
    --yes) yes=$2 ;;
    *) echo "Unknown option: $1" >&2; exit 2 ;;
  esac
  shift 2
done

gateway=$(jq -r .gateway "$topology")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The key goes by file: the arguments of a process can be read by others.
(umask 077; jq -r '"Authorization: Bearer " + .development_key' "$topology" > "$work/key")

now() { echo "$EPOCHREALTIME"; }
since() { awk -v a="$1" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.2f", b - a }'; }
fail() {
  echo "$1" >&2
  [ -s "$work/answer" ] && jq -r '"  \(.title // "") \(.detail // "") [\(.code // .status // "")]"' "$work/answer" >&2 2>/dev/null
  jq -cn --arg m "$1" --slurpfile a <(jq -c . "$work/answer" 2>/dev/null || echo null) '{identity_id: null, status: "failed", error: $m, answer: $a[0]}'
  exit 1
}
# call METHOD PATH EXPECTED [curl options]: the answer's body is in $work/answer
call() {
  local method=$1 path=$2 expected=$3 got
  shift 3
  got=$(curl -sS --noproxy '*' -X "$method" -H "@$work/key" -o "$work/answer" -w '%{http_code}' "$@" "$gateway$path") || got=000
  [ "$got" = "$expected" ] || fail "$method $path answered $got"
}

mkdir "$work/photos"
# The zip is unpacked below $work, which goes at the end.
list=$("$PWD/eng/photos.sh" "$photos" "$work/photos" 2>"$work/refusal") || fail "$(cat "$work/refusal")"
mapfile -t files <<<"$list"

# A live provider must let us in, and somebody must want to pay it, before a photo leaves.
for ((i = 0; i < 300; i++)); do
  call GET /api/providers 200
  jq --arg p "$provider" '[.providers[] | select(.mode == "live" and ($p == "auto" or .name == $p))]' "$work/answer" > "$work/live"
  jq -e 'any(.reason.code == "provider_unchecked")' "$work/live" >/dev/null || break
  sleep 0.1
done
if jq -e 'length > 0' "$work/live" >/dev/null; then
  : > "$work/answer"
  jq -e 'any(.available)' "$work/live" >/dev/null || fail "$(jq -r '.[0] | "\(.name) is live but not available: \(.reason.detail) [\(.reason.code)]"' "$work/live")"
  # As the presets say.
  case $preset in economy) steps=500 ;; high) steps=2000 ;; portrait) steps=1500 ;; *) steps=1000 ;; esac
  call GET "/api/estimates?steps=$steps" 200
  jq -r --slurpfile live "$work/live" '.estimates[] | select(.provider as $p | $live[0] | any(.name == $p))
    | "\(.provider) is live: about $\(.min_dollars) to $\(.max_dollars), \(.min_seconds / 60 | floor) to \(.max_seconds / 60 | ceil) minutes."' "$work/answer"
  : > "$work/answer"
  if [ "$yes" != 1 ]; then
    [ -t 0 ] || fail "Nobody is there to ask whether to spend it: add --yes."
    read -r -p "Train? [y/N] " answer
    case $answer in y|Y|yes|Yes) ;; *) fail "Not trained, nothing was spent." ;; esac
  fi
  limit=21600
fi

start=$(now)
call POST /api/photo-sets 201 -H 'Content-Type: application/json' -d "$(jq -cn --arg n "$name" '{name: $n}')"
set_id=$(jq -r .id "$work/answer")
parts=()
for f in "${files[@]}"; do parts+=(-F "photos=@\"${f//\"/\\\"}\""); done
call POST "/api/photo-sets/$set_id/photos" 201 "${parts[@]}"
jq -r '.rejected[]? | "Refused \(.file_name): \(.title) \(.detail)"' "$work/answer" >&2
echo "Uploaded $(jq '.photos | length' "$work/answer") photos in $(since "$start") s."
uploaded=$(since "$start")

# The samples are free to use; for photos of your own, running this is your agreement to that text.
call GET /api/photo-sets/consent-text 200
agreement=$(jq -c '{text_version}' "$work/answer")
call POST "/api/photo-sets/$set_id/consent" 201 -H 'Content-Type: application/json' -d "$agreement"
echo "Recorded the consent to text $(jq -r .text_version "$work/answer") (GET /api/photo-sets/consent-text)."

submit=$(now)
call POST /api/identities 202 -H 'Content-Type: application/json' -H "Idempotency-Key: $(cat /proc/sys/kernel/random/uuid)" \
  -d "$(jq -cn --arg n "$name" --arg s "$set_id" --arg p "$provider" --arg q "$preset" '{name: $n, photo_set_id: $s, provider: $p, preset: $q}')"
identity=$(jq -r .id "$work/answer")
echo "Identity $identity requested."

last='' status=pending
while [ "$(since "$submit" | cut -d. -f1)" -lt $limit ]; do
  call GET "/api/identities/$identity" 200
  IFS=$'\t' read -r status stage progress < <(jq -r '[.status, .stage // "-", .progress // 0] | @tsv' "$work/answer")
  line=$(printf '%-10s %-11s [%-30s] %3d %%' "$status" "$stage" "$(printf '%*s' $((progress * 30 / 100)) '' | tr ' ' '#')" "$progress")
  if [ "$line" != "$last" ]; then
    if [ -t 1 ]; then printf '\r%s' "$line"; else echo "$line"; fi
    last=$line
  fi
  case "$status" in ready|failed|canceled) break ;; esac
  sleep 0.3
done
[ -t 1 ] && echo
trained=$(since "$submit")
cp "$work/answer" "$work/identity"
[ "$status" = ready ] || fail "The identity is $status: $(jq -r '.error_message // ""' "$work/identity")"

download=$(now)
call GET "/api/identities/$identity/model" 200
downloaded=$(since "$download")
bytes=$(stat -c %s "$work/answer")
sha=$(sha256sum "$work/answer" | cut -d' ' -f1)
[ "$sha" = "$(jq -r .model.sha256 "$work/identity")" ] || { : > "$work/answer"; fail "The model's sha256 is $sha, the identity says $(jq -r .model.sha256 "$work/identity")"; }
: > "$work/answer"
curl -sS --noproxy '*' -H "@$work/key" "$gateway/api/trainings/$(jq -r '.versions[0].id' "$work/identity")" -o "$work/job" || echo '{}' > "$work/job"
stages=$(jq -c '[.stages[]? | select(.ended_at != null) | {key: .stage, value: ((.seconds // 0) * 100 | round / 100)}] | from_entries' "$work/job" 2>/dev/null || echo '{}')
[ "$once" = 1 ] || echo "Ready: model of $bytes bytes."
jq -cn --arg id "$identity" --arg status "$status" --arg provider "$(jq -r .provider "$work/identity")" --argjson bytes "$bytes" --arg sha "$sha" \
  --argjson healthy "$healthy" --argjson upload "$uploaded" --argjson training "$trained" --argjson download "$downloaded" --argjson stages "${stages:-{\}}" \
  '{identity_id: $id, status: $status, provider: $provider, model_bytes: $bytes, model_sha256: $sha,
    seconds: ({healthy: $healthy, upload: $upload, request_to_ready: $training, download: $download} + $stages)}'
