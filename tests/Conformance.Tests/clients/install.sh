#!/usr/bin/env bash
# Installs the clients that the conformance tests drive. Does nothing when they are there already.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

# Several test classes ask for the clients at the same moment.
exec 9<package.json
flock 9

wanted=$(sha256sum package.json)
if [[ -f node_modules/.installed && "$(cat node_modules/.installed)" == "$wanted" ]]; then
  exit 0
fi

npm install --no-package-lock --no-audit --no-fund --omit=optional --loglevel=error
printf '%s\n' "$wanted" > node_modules/.installed
