// .demo/env: what a person needs to go on with their own kubectl, aws and psql.
import { copyFile, mkdir, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Stage } from '../stage/stage.ts';

const folder = resolve(import.meta.dirname, '../../.demo');

/** Written for the shell; answers with the folder. The CA is copied beside it. */
export async function writeDemoFolder(
  { aws, database, kubeconfig, operator }: Stage,
  login: { readonly username: string; readonly roleARN: string; readonly ca: string },
): Promise<string> {
  await mkdir(folder, { recursive: true });
  const caFile = join(folder, 'ca.crt');
  await copyFile(login.ca, caFile);
  const { accessKeyId, secretAccessKey } = aws.administrator;
  const variables = {
    KUBECONFIG: kubeconfig,
    AWS_ENDPOINT_URL: aws.baseUrl,
    AWS_REGION: aws.region,
    AWS_DEFAULT_REGION: aws.region,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    IAMDB_ENDPOINT: database.endpoint.host,
    IAMDB_HOSTADDR: '127.0.0.1',
    IAMDB_PORT: String(database.gate.port),
    IAMDB_CA_FILE: caFile,
    IAMDB_DATABASE: 'orders',
    IAMDB_USER: login.username,
    IAMDB_ROLE_ARN: login.roleARN,
    IAMDB_OPERATOR_LOG: operator.logFile,
  };
  const lines = Object.entries(variables).map(
    ([name, value]) => `export ${name}='${value.replaceAll("'", `'\\''`)}'`,
  );
  await writeFile(join(folder, 'env'), `${lines.join('\n')}\n`, { mode: 0o600 });
  return folder;
}

/** What it says is true only while the demo runs. */
export const removeDemoFolder = () => rm(folder, { recursive: true, force: true });
