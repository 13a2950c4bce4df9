// npm run demo: the whole path on real parts, from `kubectl apply` to a login proven with a real token.
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import type { Condition } from '../../src/api/conditions.ts';
import type { IamDatabaseUser } from '../../src/api/objects.ts';
import { accountID } from '../stage/account.ts';
import { apply, manifestsIn, pathOf } from '../stage/cluster.ts';
import { type Stage, startStage } from '../stage/stage.ts';
import { until } from '../stage/wait.ts';
import { removeDemoFolder, writeDemoFolder } from './folder.ts';
import { proveByHand } from './login.ts';
import { createProgress } from './progress.ts';

const { values } = parseArgs({ options: { once: { type: 'boolean', default: false } } });
const role = `arn:aws:iam::${accountID}:role/payments-checkout`;
const progress = createProgress();
const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => interrupted.abort());

/** Ends with 0 only if the login was proven twice: by the operator and by hand. */
async function demo(): Promise<number> {
  const stage = await startStage({ progress: progress.step });
  try {
    interrupted.signal.throwIfAborted();
    progress.step('starting the operator from its production bundle, under the rights that ship');
    await stage.operator.start();
    const user = await applyExamples(stage);
    const ready = await waitForReady(stage, user);
    progress.done();
    printChain(ready);
    const login = await proveByHand(stage, { username: user.spec.username, roleARN: role });
    console.log(`\n$ ${login.command}\n${login.answer}`);
    if (values.once) return 0;
    const folder = await writeDemoFolder(stage, {
      username: user.spec.username,
      roleARN: role,
      ca: login.caFile,
    });
    console.log(
      `\nIt stays up. In another terminal: source ${folder}/env, then use your own kubectl, aws and psql. Ctrl-C ends it.`,
    );
    await once(interrupted.signal, 'abort');
    return 0;
  } finally {
    progress.step('stopping everything');
    await stage.stop();
    await removeDemoFolder();
    progress.done();
  }
}

/** The examples as they are; the endpoint's name is known to no resolver here, so the database is dialled where the gate listens. */
async function applyExamples({ bed, database }: Stage): Promise<IamDatabaseUser> {
  progress.step('applying examples/database.yaml and examples/user.yaml');
  for (const manifest of manifestsIn('examples/database.yaml')) {
    const connectTo = { host: '127.0.0.1', port: database.gate.port };
    await apply(bed.kube, { ...manifest, spec: { ...manifest.spec, connectTo } });
  }
  const [user] = manifestsIn('examples/user.yaml');
  if (user === undefined) throw new Error('examples/user.yaml is empty');
  await apply(bed.kube, user);
  return user as unknown as IamDatabaseUser;
}

async function waitForReady({ bed, operator }: Stage, user: IamDatabaseUser): Promise<Ready> {
  const began = performance.now();
  const read = async () => (await bed.kube.request<IamDatabaseUser>({ path: pathOf(user) })).body;
  const conditionsOf = async () => (await read()).status?.conditions ?? [];
  const holds = (conditions: readonly Condition[], type: string) =>
    conditions.some((condition) => condition.type === type && condition.status === 'True');
  await until(
    'the user to be ready and its access to be proven',
    async () => {
      interrupted.signal.throwIfAborted();
      if (!operator.running()) throw new Error(`the operator ended; its log is ${operator.logFile}`);
      const conditions = await conditionsOf();
      return holds(conditions, 'Ready') && holds(conditions, 'AccessVerified');
    },
    { withinMs: 60_000, everyMs: 10, seen: conditionsOf },
  );
  return { user: await read(), milliseconds: performance.now() - began };
}

interface Ready {
  readonly user: IamDatabaseUser;
  readonly milliseconds: number;
}

function printChain({ user, milliseconds }: Ready): void {
  const rows = (user.status?.conditions ?? []).map(({ type, status, reason, message }) => [
    type,
    status,
    reason,
    message,
  ]);
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  console.log(
    `\nIamDatabaseUser ${user.metadata.namespace}/${user.metadata.name}, ready ${Math.round(milliseconds)} ms after it was applied:\n`,
  );
  for (const row of rows) {
    console.log(`  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`);
  }
  console.log(`\n  allowed: ${user.status?.resourceARNs?.join(', ')}`);
  console.log(`  by:      ${user.status?.principals?.map(({ policyARN }) => policyARN).join(', ')}`);
}

try {
  process.exitCode = await demo();
} catch (error) {
  progress.done();
  console.error(interrupted.signal.aborted ? 'interrupted' : error);
  process.exitCode = interrupted.signal.aborted ? 130 : 1;
}
