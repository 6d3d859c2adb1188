#!/bin/sh
# The application's role and its table, if they are not there yet.
set -eu

exec psql -X -q -d postgres -v ON_ERROR_STOP=1 -v role="$WEB_USER" <<'SQL'
SELECT format('CREATE ROLE %I LOGIN', :'role')
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') \gexec
CREATE TABLE IF NOT EXISTS note (id bigserial PRIMARY KEY, text text NOT NULL, at timestamptz NOT NULL DEFAULT now());
GRANT SELECT, INSERT ON note TO :"role";
GRANT USAGE ON SEQUENCE note_id_seq TO :"role";
SQL
