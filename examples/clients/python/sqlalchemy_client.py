# Python with SQLAlchemy: pip install sqlalchemy 'psycopg[binary]' boto3
import os

import boto3
from sqlalchemy import create_engine, event, text

rds = boto3.client("rds", region_name=os.environ["RDS_REGION"])
engine = create_engine("postgresql+psycopg://", pool_pre_ping=True)


# For each new connection of the pool: a token is good for 15 minutes.
@event.listens_for(engine, "do_connect")
def sign(dialect, record, arguments, parameters):
    parameters["password"] = rds.generate_db_auth_token(
        DBHostname=os.environ["PGHOST"],
        Port=int(os.environ["PGPORT"]),
        DBUsername=os.environ["PGUSER"],
    )


with engine.connect() as connection:
    print(connection.execute(text("select current_user, version()")).one())
