#!/bin/bash
# Makes the database and its roles when PostgreSQL starts for the first time. The passwords are those of the URLs that the
# programs are given: letters and digits only.
set -euo pipefail
secrets=${SECRETS:-/run/secrets}

# password prints the password of the URL in a file.
password() {
  local url
  url=$(<"$secrets/$1")
  [[ $url =~ ^postgres://([a-z_]+):([A-Za-z0-9]+)@ && ${BASH_REMATCH[1]} = "$2" ]] || {
    echo "$secrets/$1 is not a URL postgres://$2:<letters and digits>@…" >&2
    return 1
  }
  printf '%s' "${BASH_REMATCH[2]}"
}

# The passwords travel as variables of the environment, so that no list of processes shows them.
OWNER=$(password store-owner mde_owner)
MCP=$(password store-mcp mde_mcp_login)
SLACKBOT=$(password store-slackbot mde_slackbot_login)
export OWNER MCP SLACKBOT

psql -v ON_ERROR_STOP=1 --no-psqlrc --quiet --username "${POSTGRES_USER:-postgres}" --dbname postgres <<'SQL'
\getenv owner OWNER
\getenv mcp MCP
\getenv slackbot SLACKBOT
-- What may be done is given to these two by `mde-slackbot migrate`; nobody can log in as them.
DO $$ BEGIN CREATE ROLE mde_mcp NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
DO $$ BEGIN CREATE ROLE mde_worker NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
CREATE ROLE mde_owner LOGIN PASSWORD :'owner';
CREATE ROLE mde_mcp_login LOGIN PASSWORD :'mcp' IN ROLE mde_mcp;
CREATE ROLE mde_slackbot_login LOGIN PASSWORD :'slackbot' IN ROLE mde_worker;
CREATE DATABASE mdeops OWNER mde_owner;
REVOKE ALL ON DATABASE mdeops FROM PUBLIC;
GRANT CONNECT ON DATABASE mdeops TO mde_mcp, mde_worker;
SQL
