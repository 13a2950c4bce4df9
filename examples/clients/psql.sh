#!/bin/sh
# psql with the AWS CLI; psql takes the rest from PGHOST, PGPORT, PGUSER, PGDATABASE, PGSSLMODE and PGSSLROOTCERT.
set -eu
PGPASSWORD=$(aws rds generate-db-auth-token --region "$RDS_REGION" --hostname "$PGHOST" --port "$PGPORT" --username "$PGUSER")
export PGPASSWORD
psql -c 'select current_user, version()'
