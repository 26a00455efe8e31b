# shellcheck shell=bash disable=SC2034
# Sourced by what asks for a container engine.

# The one that was named, else Docker before Podman.
read -r -a engines <<<"${ASPIRE_CONTAINER_RUNTIME:-${DOTNET_ASPIRE_CONTAINER_RUNTIME:-docker podman}}"

# A client without its server does not count.
answers() { command -v "$1" >/dev/null && timeout 10 "$1" info >/dev/null 2>&1; }
