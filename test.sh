#!/usr/bin/env bash
# Builds, checks the format, and runs every test; the last line is "N passed, N failed, N skipped".
#   --full            the long matrices (kill points, faults, fuzzing) whole, not a seeded sample
#   --only PATTERN    only the test projects whose name matches
#   --seed N          seed of the samples (default: today's date)
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

export FLURRTY_TESTS=sample FLURRTY_SEED
FLURRTY_SEED=$(date +%Y%m%d)
only='.'
while [ $# -gt 0 ]; do
  case "$1" in
    --full) FLURRTY_TESTS=full ;;
    --only) only=${2:?--only needs a pattern}; shift ;;
    --seed) FLURRTY_SEED=${2:?--seed needs a number}; shift ;;
    *) echo "Unknown option: $1" >&2; exit 2 ;;
  esac
  shift
done

passed=0 failed=0 skipped=0
finish() {
  echo "$passed passed, $failed failed, $skipped skipped"
  [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
  exit
}
step() {
  echo "== $*"
  if ! "$@"; then
    echo "FAILED: $*"
    failed=$((failed + 1))
    finish
  fi
}

step ./eng/install.sh --tests
# One compiler for thirty projects: without it each pays for a start of its own.
step dotnet build Flurrty.sln -c Release -v quiet -nologo -clp:NoSummary -p:UseSharedCompilation=true
step ./eng/precompile.sh
step dotnet format Flurrty.sln --verify-no-changes --no-restore

results=$(mktemp -d)
lane=
trap 'rm -rf "$results"; [ -z "$lane" ] || kill -- "-$lane" 2>/dev/null' EXIT
run() {
  local name started=$SECONDS
  name=$(basename "$1" .csproj)
  echo "== $name"
  dotnet test "$1" -c Release --no-build -v quiet -nologo --logger "console;verbosity=minimal" 2>&1 | tee "$results/$name"
  echo "   $name: $((SECONDS - started)) s"
}
count() {
  local name line
  name=$(basename "$1" .csproj)
  line=$(grep -E 'Failed: +[0-9]+, Passed: +[0-9]+, Skipped: +[0-9]+' "$results/$name" | tail -1)
  if [[ $line =~ Failed:\ +([0-9]+),\ Passed:\ +([0-9]+),\ Skipped:\ +([0-9]+) ]]; then
    failed=$((failed + BASH_REMATCH[1]))
    passed=$((passed + BASH_REMATCH[2]))
    skipped=$((skipped + BASH_REMATCH[3]))
  else
    echo "FAILED: $name ended without a result"
    failed=$((failed + 1))
  fi
}
mapfile -t projects < <(find tests -name '*.Tests.csproj' -not -path '*/obj/*' | sort)
beside=() first=() last=()
for project in "${projects[@]}"; do
  name=$(basename "$project" .csproj)
  [[ $name =~ $only ]] || continue
  case "$name" in
    # They wait for leases, intervals and starts most of the time, so they run beside the others.
    TrainingService.Tests | Infrastructure.Tests) beside+=("$project") ;;
    # The whole topology last: what it finds is understood best when the parts are known to work.
    Topology.Tests) last+=("$project") ;;
    *) first+=("$project") ;;
  esac
done
if [ ${#beside[@]} -gt 0 ]; then
  set -m
  (for project in "${beside[@]}"; do run "$project"; done) >"$results/lane" 2>&1 &
  lane=$!
  set +m
fi
for project in "${first[@]}"; do run "$project"; done
if [ -n "$lane" ]; then
  wait "$lane"
  lane=
  cat "$results/lane"
fi
for project in "${last[@]}"; do run "$project"; done
for project in "${beside[@]}" "${first[@]}" "${last[@]}"; do count "$project"; done
echo "   all: $SECONDS s"
finish
