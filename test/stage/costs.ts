// What a stretch of time costs: calls to AWS, round trips to PostgreSQL, writes to the API server; and a whole resync as such.
import type { Call } from '../aws/calls.ts';
import type { Stage } from './stage.ts';
import { startStatementLog } from './statements.ts';
import { until } from './wait.ts';
import { kubeWrites } from './writes.ts';

export interface Costs {
  readonly ms: number;
  readonly calls: readonly Call[];
  /** Each text that the admin sent, one round trip each. */
  readonly sql: readonly string[];
  /** Events and the lease apart. */
  readonly kubeWrites: number;
  /** Who logged in. */
  readonly logins: readonly string[];
}

/** Begins to count; what it gives counts from its own call on, as often as it is asked. */
export async function countCosts(stage: Stage): Promise<() => Promise<() => Promise<Costs>>> {
  const { aws, database } = stage;
  const { said } = await startStatementLog(stage);
  return async () => {
    const began = performance.now();
    const { gate } = database;
    const from = { calls: aws.calls.length, sql: said().length, logins: gate.logins.length };
    const kube = (await kubeWrites(stage)).length;
    return async () => ({
      ms: performance.now() - began,
      calls: aws.calls.slice(from.calls),
      sql: said()
        .slice(from.sql)
        .map(({ sql }) => sql),
      kubeWrites: (await kubeWrites(stage)).length - kube,
      logins: gate.logins.slice(from.logins).map(({ user }) => user),
    });
  };
}

/** `queries`: all but what each new session of the admin is told and asked first; `own`: those of single roles. */
export function roundTrips(sql: readonly string[]) {
  const setUps = sql.filter((text) => /^\s*SET search_path = .*;\s*RESET ROLE;/.test(text)).length;
  const rehearsals = sql.filter((text) => text.includes('iamdb_rehearsal_')).length;
  const observations = sql.filter(
    (text) => /^EXECUTE iamdb_roles/m.test(text) && !text.startsWith('BEGIN'),
  ).length;
  const queries = sql.length - setUps;
  return { queries, setUps, observations, rehearsals, own: queries - rehearsals - observations };
}

/** Resyncs come at whole multiples of the interval, those of users soon after that of their database. */
export const untilBetweenResyncs = async (intervalMs: number): Promise<void> => {
  const part = () => (Date.now() % intervalMs) / intervalMs;
  await until('a time between two resyncs', () => part() > 0.4 && part() < 0.8, {
    withinMs: intervalMs * 2 + 10_000,
  });
};

/** Until a pass over the database and over each of so many users has ended since that line of the operator's log. */
export async function untilAllPassed(stage: Stage, line: number, users: number): Promise<void> {
  const passed = () => {
    const passes = stage.operator
      .log()
      .slice(line)
      .filter(({ msg, controller }) => msg === 'pass' && String(controller).startsWith('iamdatabase'));
    return new Set(passes.map(({ object }) => object)).size;
  };
  await until('a pass over the database and every user', () => passed() === users + 1, {
    withinMs: 300_000,
    everyMs: 500,
    seen: passed,
  });
}

/** The next resync of the database `orders` and so many users: by timers, and by nothing else. */
export async function costsOfResync(
  stage: Stage,
  count: () => Promise<() => Promise<Costs>>,
  { intervalMs, users }: { readonly intervalMs: number; readonly users: number },
): Promise<Costs> {
  await untilBetweenResyncs(intervalMs);
  const line = stage.operator.log().length;
  const counted = await count();
  await untilAllPassed(stage, line, users);
  return await counted();
}

/** For each managed policy, what was said about it before it lets in again, the write itself among them. */
export function callsUntilWritten(calls: readonly Call[]): ReadonlyMap<string, readonly string[]> {
  // The look at everything reads attachments once more, at a time of its own.
  const ofPolicies = calls.filter(
    ({ action, parameters }) => parameters['PolicyArn'] !== undefined && action !== 'ListEntitiesForPolicy',
  );
  return new Map(
    [...Map.groupBy(ofPolicies, ({ parameters }) => String(parameters['PolicyArn']))].flatMap(
      ([arn, some]) => {
        const written = some.findIndex(({ action }) => action === 'CreatePolicyVersion');
        return written < 0 ? [] : [[arn, some.slice(0, written + 1).map(({ action }) => action)] as const];
      },
    ),
  );
}
