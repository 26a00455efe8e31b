#!/usr/bin/env bash
# Runs one RabbitMQ node in the foreground, with a user for each service. Variables: README.md.
NAME=rabbitmq
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=foreground.sh
. "$here/foreground.sh"

need_program setpriv util-linux
need_program flock util-linux
need_program erl rabbitmq-server
need_values FLURRTY_RABBITMQ_DATA FLURRTY_RABBITMQ_USERS
need_port FLURRTY_RABBITMQ_PORT
server=/usr/lib/rabbitmq/bin/rabbitmq-server
[ -x "$server" ] || die "RabbitMQ was not found at $server; run eng/install.sh, which installs rabbitmq-server."
[ -x /usr/bin/python3 ] || die "/usr/bin/python3 was not found; run eng/install.sh, which installs python3."

home=$(absolute "$FLURRTY_RABBITMQ_DATA")
stop_child_with TERM
mkdir -p "$home"
hold_directory "$home"
home=$(realpath "$home")

# Tables of another series may need steps in between that nobody has taken. What a broker holds is asked for again, so it starts with none.
series=$(basename "$(find /usr/lib/rabbitmq/lib -maxdepth 1 -name 'rabbitmq_server-*' | sort -V | tail -n 1)" | sed -n 's/^rabbitmq_server-\([0-9]*\.[0-9]*\).*/\1/p')
made_by=$(cat "$home/series" 2>/dev/null || echo "$series")
if [ -d "$home/mnesia" ] && [ "$made_by" != "$series" ]; then
  say "the data in $home was made by RabbitMQ $made_by; RabbitMQ $series starts without it, and it is kept as $home/mnesia-$made_by"
  rm -rf "$home/mnesia-$made_by" "$home/settled"
  mv "$home/mnesia" "$home/mnesia-$made_by"
fi
echo "$series" >"$home/series"
half_made=
if [ ! -e "$home/settled" ] && [ -e "$home/mnesia" ]; then
  half_made=1
fi
mkdir -p "$home/mnesia" "$home/log" "$home/plugins"

# The node reads the users and their permissions at every boot, so that a deleted data directory comes back with the same ones.
/usr/bin/python3 "$here/rabbitmq_definitions.py" "$home/definitions.json" || die "FLURRTY_RABBITMQ_USERS could not be read."
cat >"$home/advanced.config" <<EOF
[{rabbit, [{tcp_listeners, [{"127.0.0.1", $FLURRTY_RABBITMQ_PORT}]},
           {load_definitions, "$home/definitions.json"},
           {loopback_users, []},
           {vm_memory_high_watermark, {absolute, "1024MiB"}},
           {disk_free_limit, "256MB"},
           {log, [{console, [{enabled, true}, {level, warning}]}, {file, [{file, false}]}]}]}].
EOF
echo '[].' >"$home/enabled_plugins"

# RabbitMQ 3 looks at every file of every plugin it knows before it starts; we need the broker itself only, which halves the time.
plugins=()
for part in /usr/lib/rabbitmq/lib/rabbitmq_server-3.*/plugins/rabbit{,_common}-[0-9]*; do
  if [ -e "$part" ]; then
    plugins+=("$part")
  fi
done
if [ ${#plugins[@]} = 2 ]; then
  find "$home/plugins" -mindepth 1 -delete
  ln -s "${plugins[@]}" "$home/plugins/"
  export RABBITMQ_PLUGINS_DIR=$home/plugins
fi

export HOME=$home # the Erlang cookie
export RABBITMQ_NODENAME=rabbit@localhost
export RABBITMQ_NODE_IP_ADDRESS=127.0.0.1
export RABBITMQ_NODE_PORT=$FLURRTY_RABBITMQ_PORT
export RABBITMQ_MNESIA_BASE=$home/mnesia
export RABBITMQ_LOG_BASE=$home/log
export RABBITMQ_LOGS=-
export RABBITMQ_CONFIG_FILE=$home/none
export RABBITMQ_ADVANCED_CONFIG_FILE=$home/advanced.config
export RABBITMQ_ENABLED_PLUGINS_FILE=$home/enabled_plugins
export RABBITMQ_CONF_ENV_FILE=$home/none
# A named node that neither listens for other nodes nor asks epmd for anything: no daemon is started and no further port is opened.
# The port it is told to name as its own is only recorded.
export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="+S 2:2 +sbwt none -sname rabbit@localhost -dist_listen false -start_epmd false -erl_epmd_port $FLURRTY_RABBITMQ_PORT"
# Makes the start script become the Erlang machine instead of standing between it and us.
export detached=1
# The passwords are in the definitions as salted hashes; nothing else needs them.
unset FLURRTY_RABBITMQ_USERS

say "starting RabbitMQ on 127.0.0.1:$FLURRTY_RABBITMQ_PORT, data in $home"
start_child KILL "$server"
if [ ! -e "$home/settled" ]; then
  waited=0
  until (exec 3<>"/dev/tcp/127.0.0.1/$FLURRTY_RABBITMQ_PORT") 2>/dev/null; do
    if [ -n "$half_made" ] && [ -z "$stopping" ] && { ((waited >= 200)) || ! kill -0 "$child" 2>/dev/null; }; then
      # A node that was killed while it made its tables may never get over it. It has not served anybody yet.
      say "the first start was cut off; starting anew"
      half_made=
      kill -KILL "$child" 2>/dev/null || true
      wait_child || true
      rm -rf "$home/mnesia"
      mkdir -p "$home/mnesia"
      start_child KILL "$server"
    fi
    kill -0 "$child" 2>/dev/null || follow_child
    sleep 0.1
    waited=$((waited + 1))
  done
  # The tables of the first start reach the disk a moment after the port is open.
  for _ in {1..30}; do
    kill -0 "$child" 2>/dev/null || follow_child
    sleep 0.1
  done
  touch "$home/settled"
fi
follow_child
