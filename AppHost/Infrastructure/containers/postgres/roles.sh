#!/usr/bin/env bash
# Run once by the PostgreSQL image on an empty volume: a database and three roles for each service.
set -euo pipefail
for database in $FLURRTY_PG_DATABASES; do
  for role in owner app dispatcher; do
    variable="FLURRTY_PG_${database^^}_${role^^}_PASSWORD"
    # By the environment: the arguments of a process can be read by others.
    PASSWORD="${!variable}" psql -v ON_ERROR_STOP=1 -v role="${database}_${role}" --username "$POSTGRES_USER" <<'SQL'
\getenv password PASSWORD
CREATE ROLE :"role" LOGIN PASSWORD :'password' NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE;
SQL
  done
  psql -v ON_ERROR_STOP=1 -v database="$database" -v owner="${database}_owner" -v app="${database}_app" -v dispatcher="${database}_dispatcher" --username "$POSTGRES_USER" <<'SQL'
CREATE DATABASE :"database" OWNER :"owner";
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"database" TO :"app", :"dispatcher";
\connect :"database"
ALTER SCHEMA public OWNER TO :"owner";
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO :"app", :"dispatcher";
SQL
done
