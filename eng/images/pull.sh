#!/usr/bin/env bash
# Loads the images that the AppHost starts and that the engine does not have, with the engine's own progress.
# Usage: ASPIRE_CONTAINER_RUNTIME=docker|podman eng/images/pull.sh
set -euo pipefail
# shellcheck source=images.sh
. "$(dirname "${BASH_SOURCE[0]}")/images.sh"
engine=${ASPIRE_CONTAINER_RUNTIME:?usage: ASPIRE_CONTAINER_RUNTIME=docker|podman eng/images/pull.sh}

mapfile -t images < <(started_images)
for image in "${images[@]}"; do
  ! "$engine" image inspect "$image" >/dev/null 2>&1 || continue
  say "loading $image"
  "$engine" pull "$image" || die "$image could not be loaded; see what $engine says above, and run this again."
done
