# Python: pip install 'psycopg[binary]' boto3
import os

import boto3
import psycopg

rds = boto3.client("rds", region_name=os.environ["RDS_REGION"])


def connect():
    # Signed here, without a call to AWS; good for 15 minutes.
    token = rds.generate_db_auth_token(
        DBHostname=os.environ["PGHOST"],
        Port=int(os.environ["PGPORT"]),
        DBUsername=os.environ["PGUSER"],
    )
    # libpq takes the rest from PGHOST, PGPORT, PGUSER, PGDATABASE, PGSSLMODE and PGSSLROOTCERT.
    return psycopg.connect(password=token)


with connect() as connection:
    print(connection.execute("select current_user, version()").fetchone())
