#!/bin/sh
# Makes the database cluster if there is none. Who comes over the socket is who the kernel says
# they are (peer); nobody comes over the network.
set -eu

if [ -s data/PG_VERSION ]; then
  echo "data is a cluster of PostgreSQL $(cat data/PG_VERSION) already"
  exit 0
fi
# What an initdb that was interrupted left behind is no cluster.
rm -rf data
exec "$POSTGRES_BIN/initdb" -D data --encoding=UTF8 --locale=C --auth-local=peer --auth-host=reject
