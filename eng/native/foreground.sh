# shellcheck shell=bash
# Sourced by the server scripts: what a server needs to be a well-behaved child of an orchestrator.
# The caller sets NAME, the word that each line begins with.

set -euo pipefail
umask 077

say() { printf '%s: %s\n' "$NAME" "$*"; }

die() {
  printf '%s: %s\n' "$NAME" "$*" >&2
  exit 1
}

# The data is not ours to serve: only another version, or a new start, helps. EX_DATAERR of sysexits.h tells an orchestrator so.
refuse() {
  printf '%s: %s\n' "$NAME" "$*" >&2
  exit 65
}

need_values() {
  local variable
  for variable in "$@"; do
    [ -n "${!variable:-}" ] || die "the environment variable $variable is not set; eng/native/README.md lists what each server needs."
  done
}

need_port() {
  local variable=$1
  need_values "$variable"
  [[ ${!variable} =~ ^[0-9]{1,5}$ ]] && ((${!variable} >= 1 && ${!variable} <= 65535)) ||
    die "$variable must be a port number from 1 to 65535, not '${!variable}'."
}

need_program() {
  command -v "$1" >/dev/null || die "'$1' was not found; run eng/install.sh, which installs $2."
}

absolute() { realpath -ms -- "$1"; }

# Takes the data directory for this process and every process it starts: descriptor 9 is inherited, so that the lock is free exactly
# when the last process of an earlier run is gone. Whatever lock files that run left behind are stale from then on.
hold_directory() {
  local lock=$1/lock holder
  [ -d "$1" ] || die "the data directory $1 does not exist."
  { exec 9>>"$lock"; } 2>/dev/null ||
    die "cannot write to $lock as the user $(id -un); run as $(stat -c %U "$1"), who owns that directory, or remove it to start anew."
  if ! flock -w 6 9; then
    holder=$(cat "$1/owner.pid" 2>/dev/null || true)
    if [ -n "$holder" ] && [ "/proc/$holder/fd/9" -ef "$lock" ]; then
      die "the process $holder is already serving from $1."
    fi
    # The script that started them is dead and they had their time to follow it.
    for holder in /proc/[0-9]*; do
      if [ "$holder" != "/proc/$$" ] && [ "$holder/fd/9" -ef "$lock" ]; then
        say "ending process ${holder#/proc/}, left by an earlier run"
        kill -KILL "${holder#/proc/}" 2>/dev/null || true
      fi
    done
    flock -w 5 9 || die "an earlier run's processes still hold $1."
  fi
  echo $$ >"$1/owner.pid"
}

child=
stopping=

# Starts the server so that it gets signal $1 when this script dies, however it dies.
start_child() {
  local on_orphaned=$1
  shift
  [ -z "$stopping" ] || exit 0
  setpriv --pdeathsig "$on_orphaned" "$@" </dev/null &
  child=$!
}

# Passes a stop on as signal $1.
stop_child_with() {
  # shellcheck disable=SC2064
  trap "stopping=1; [ -z \"\$child\" ] || kill -$1 \"\$child\" 2>/dev/null || true" TERM INT HUP
}

# Waits for the child to end and for nothing else: a signal only interrupts the wait.
wait_child() {
  local status=0
  while :; do
    wait "$child" && status=0 || status=$?
    kill -0 "$child" 2>/dev/null || break
  done
  child=
  return "$status"
}

# Ends the script the way the server ended.
follow_child() {
  local status=0
  wait_child || status=$?
  if [ -n "$stopping" ]; then
    exit 0
  fi
  die "the server ended by itself with status $status."
}
