// The programs that application people copy, as they stand, against the chain that the operator made.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { region } from '../stage/account.ts';
import { manifestsIn } from '../stage/cluster.ts';
import { checkoutRole, sceneOf, userManifest } from '../stage/scene.ts';
import { createWorkloadRole } from '../stage/account.ts';
import { type Stage, startStage } from '../stage/stage.ts';
import {
  buildGo,
  clientsFolder,
  fetchJars,
  forward,
  isOlder,
  runWithHosts,
  Unfetched,
  whyNoGo,
  whyNot,
} from './clients.ts';
import { findPython } from './python.ts';

const noHosts = await whyNot('unshare', '--mount', 'mount', '--bind', '/etc/hosts', '/etc/hosts');
if (noHosts !== undefined)
  console.error('the client programs are skipped: no mount namespace to be had here');
const python =
  noHosts === undefined
    ? await findPython(['awscli==1.46.3', 'boto3==1.44.5', 'psycopg[binary]==3.3.9', 'sqlalchemy==2.1.9'])
    : { missing: noHosts };
const pythonPath = 'missing' in python ? '' : python.path;
const noPython = 'missing' in python ? python.missing : undefined;

let stage: Stage;
let mount = '';
const hosts = () => join(mount, 'hosts');
let stopForward: () => Promise<void> = async () => {};
let connection: Readonly<Record<string, string>> = {};

beforeAll(async () => {
  if (noHosts !== undefined) return;
  // Made before the operator starts, because it tells applications where the bundle is mounted.
  mount = mkdtempSync(join(tmpdir(), 'iamdb-clients-'));
  stage = await startStage({ settings: { 'bundle-mount-path': mount } });
  const scene = sceneOf(stage);
  await stage.operator.start();
  await scene.apply(stage.iamDatabase());
  for (const manifest of manifestsIn('examples/user.yaml')) await scene.apply(manifest);
  await scene.untilCondition(userManifest(), 'AccessVerified', 'True');
  connection = (await scene.configMap('payments', 'checkout-connection'))?.data ?? {};
  const bundle = await scene.configMap('payments', connection['TRUST_BUNDLE'] ?? '');
  writeFileSync(join(mount, 'ca.crt'), bundle?.data['ca.crt'] ?? '');
  const { address, stop } = await forward(Number(connection['PGPORT']), stage.database.gate.port);
  stopForward = stop;
  writeFileSync(
    hosts(),
    `127.0.0.1 localhost\n${address} ${connection['PGHOST']} ${connection['PGHOST_READER']}\n`,
  );
});
afterAll(async () => {
  await stopForward();
  await stage?.stop();
  if (mount !== '') rmSync(mount, { recursive: true });
});

/** As a pod of the workload: the ConfigMap by envFrom, and the credentials of its role. */
async function runAs(roleARN: string, command: readonly string[]): Promise<string> {
  const { accessKeyId, secretAccessKey, sessionToken = '' } = stage.aws.createAccessKey(roleARN);
  return await runWithHosts(hosts(), command, {
    ...connection,
    PATH: [dirname(pythonPath), process.env['PATH']].join(':'),
    HOME: mount,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_SESSION_TOKEN: sessionToken,
    AWS_EC2_METADATA_DISABLED: 'true',
    ...(process.env['JAVA_HOME'] === undefined ? {} : { JAVA_HOME: process.env['JAVA_HOME'] }),
  });
}

interface Program {
  readonly name: string;
  /** Why it cannot run here. */
  missing(): Promise<string | undefined>;
  command(): Promise<readonly string[]>;
}

const programs: readonly Program[] = [
  {
    name: 'node/index.mjs',
    missing: async () => undefined,
    command: async () => [process.execPath, join(clientsFolder, 'node/index.mjs')],
  },
  {
    name: 'python/psycopg_client.py',
    missing: async () => noPython,
    command: async () => [pythonPath, join(clientsFolder, 'python/psycopg_client.py')],
  },
  {
    name: 'python/sqlalchemy_client.py',
    missing: async () => noPython,
    command: async () => [pythonPath, join(clientsFolder, 'python/sqlalchemy_client.py')],
  },
  {
    name: 'psql.sh',
    missing: async () => noPython ?? (await whyNot('psql', '--version')),
    command: async () => ['sh', join(clientsFolder, 'psql.sh')],
  },
  {
    name: 'go/main.go',
    missing: whyNoGo,
    command: async () => [await buildGo()],
  },
  {
    name: 'java/Main.java',
    missing: async () => (await whyNot('mvn', '--version')) ?? (await whyNot('javac', '--version')),
    command: async () => ['java', '-cp', `${await fetchJars()}/*`, join(clientsFolder, 'java/Main.java')],
  },
];

describe.skipIf(noHosts !== undefined)('the program', () => {
  const named = programs.map((program) => [program.name, program] as const);

  it.for(named)('%s logs in as it stands', { timeout: 1_200_000 }, async ([, program], { skip }) => {
    const missing = await program.missing();
    skip(missing !== undefined, missing);
    const command = await program.command().catch((error: unknown) => {
      if (!(error instanceof Unfetched)) throw error;
      console.error(`${program.name} is skipped: ${error.message}`);
      return skip(error.message);
    });
    expect(await runAs(checkoutRole, command)).toContain('payments_checkout');
  });

  it('of a workload with another role is refused', async () => {
    const stranger = createWorkloadRole(stage.aws, 'stranger');
    const command = await (programs[0]?.command() ?? []);
    await expect(runAs(stranger, command)).rejects.toThrow(/PAM authentication failed/);
    // The same program with the right role: it was the role.
    expect(await runAs(checkoutRole, command)).toContain(`current_user: 'payments_checkout'`);
  });

  it('reads the region of the database', () => {
    expect(connection['RDS_REGION']).toBe(region);
  });
});

describe('Go', () => {
  it.each([
    ['go1.24.9', true],
    ['go1.9', true],
    ['go1.25', false],
    ['go1.25.0', false],
    ['go1.26rc1', false],
    ['go2.0', false],
    ['devel +a1b2c3', false],
  ])('%s is too old for an example that needs 1.25.0: %s', (version, older) => {
    expect(isOlder(version, '1.25.0')).toBe(older);
  });
});
