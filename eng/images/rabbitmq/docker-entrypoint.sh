#!/usr/bin/env bash
# Becomes the broker, as the user of its data. Everything else is RabbitMQ's own: its variables, /etc/rabbitmq/conf.d, load_definitions, enabled_plugins.
set -euo pipefail

if [[ ${1:-} = rabbitmq* ]] && [ "$(id -u)" = 0 ]; then
  find /var/lib/rabbitmq \! -user rabbitmq -exec chown rabbitmq: {} +
  exec setpriv --reuid=rabbitmq --regid=rabbitmq --init-groups "$BASH_SOURCE" "$@"
fi

if [ "${1:-}" = rabbitmq-server ]; then
  # Before anybody else can: the first rabbitmqctl, run as root, would make a cookie that the broker cannot read.
  cookie=$HOME/.erlang.cookie
  if [ ! -s "$cookie" ]; then
    (umask 077 && od -An -N20 -tx1 /dev/urandom | tr -d ' \n' >"$cookie.new" && mv -f "$cookie.new" "$cookie")
  fi
  # The start script then becomes the Erlang machine, which gets the signals itself, instead of standing before it.
  export detached=1
fi
exec "$@"
