// Node.js: npm install pg @aws-sdk/rds-signer
import { readFileSync } from 'node:fs';
import { Signer } from '@aws-sdk/rds-signer';
import { Pool } from 'pg';

const { PGHOST, PGPORT, PGUSER, PGSSLROOTCERT, RDS_REGION } = process.env;
const signer = new Signer({ hostname: PGHOST, port: Number(PGPORT), username: PGUSER, region: RDS_REGION });

// Host, port, user and database come from PGHOST, PGPORT, PGUSER and PGDATABASE.
const pool = new Pool({
  // Asked for each new connection: a token is good for 15 minutes.
  password: () => signer.getAuthToken(),
  ssl: { ca: readFileSync(PGSSLROOTCERT, 'utf8') },
});

const { rows } = await pool.query('select current_user, version()');
console.log(rows[0]);
await pool.end();
