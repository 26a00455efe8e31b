#!/usr/bin/env bash
# Says how PostgreSQL, RabbitMQ and the S3 store run on this machine where nobody chose; run.sh and the AppHost both ask here. Prints one word:
#   native        their programs are installed
#   installable   eng/install.sh can install them: there is apt-get, and we are root, can become it, or need not, as only the part that anybody may unpack is missing
#   containers    Docker or Podman answers
# Exit code 2, with a sentence on standard error, where there is nothing to run them with.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=engines.sh
. eng/engines.sh

installed() {
  compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null && [ -e /usr/lib/rabbitmq/bin/rabbitmq-server ] &&
    { compgen -G 'artifacts/swift/swift-2.3[5-9]*' >/dev/null || { command -v minio && { command -v mc || command -v mcli; }; } >/dev/null; }
}

# Asking for a password needs a terminal.
installable() {
  local missing
  command -v apt-get >/dev/null || return 1
  [ "$(id -u)" != 0 ] || return 0
  ! { missing=$(./eng/install.sh --missing) && [ -z "$missing" ]; } || return 0
  command -v sudo >/dev/null && { sudo -n true 2>/dev/null || (exec </dev/tty) 2>/dev/null; }
}

if installed; then
  echo native
  exit
fi
if installable; then
  echo installable
  exit
fi
for engine in "${engines[@]}"; do
  if answers "$engine"; then
    echo containers
    exit
  fi
done
echo "There is nothing to run PostgreSQL, RabbitMQ and the S3 store with: start Docker or Podman, or run ./eng/install.sh on a Debian machine as root or with sudo." >&2
exit 2
