// What becomes of a role as a script that somebody else reviews and runs, who may find the role there or not.
import { createHash } from 'node:crypto';
import type { Failure } from '../../kernel/failure.ts';
import { sqlOf } from './describe.ts';
import { markOf } from './mark.ts';
import { type ObservedEnding, planEnding, planRole, stepsOf } from './plan.ts';
import { dollarQuoted } from './quote.ts';
import type { AbsentRole, ObservedRole, PresentRole, RoleChange, ScriptedRole } from './role.ts';
import { bodyOfEnding } from './script-ending.ts';
import { bodyOfPresent } from './script-present.ts';
import { begin, lock, lockMs } from './sql.ts';

export interface Script {
  readonly script: string;
  /** In hex: others can write where the script lies, and whoever runs it has to know that it is the operator's. */
  readonly sha256: string;
}

/** Nothing of the server is known: the planner is told what takes it through all that may have to be done, and the script asks. */
export function scriptFor(desired: ScriptedRole): Script | { readonly refused: Failure } {
  const plan =
    desired.ensure === 'present'
      ? planRole(desired, noneThere(desired))
      : planEnding(desired, inUse(desired));
  if ('refused' in plan) return plan;
  const transactions =
    desired.ensure === 'present'
      ? [bodyOfPresent(desired, plan)]
      : stepsOf(plan).flatMap((step) => step.map((change) => bodyOfEnding(desired, change)));
  const locks = [lock('role', desired.username), ...locksOn(plan)].map(({ sql }) => `${sql};`);
  const blocks = transactions.map((body) =>
    body.startsWith('--')
      ? body
      : [
          `${begin};`,
          `SET LOCAL lock_timeout = '${lockMs}ms';`,
          'SET LOCAL search_path = pg_catalog;',
          ...locks,
          `DO LANGUAGE plpgsql ${dollarQuoted(`\n${body}\n`)};`,
          'COMMIT;',
        ].join('\n'),
  );
  const script = `${[headOf(desired, plan), ...blocks].join('\n\n')}\n`;
  return { script, sha256: createHash('sha256').update(script).digest('hex') };
}

const locksOn = (plan: readonly RoleChange[]) =>
  plan
    .flatMap((change) => (change.do === 'grant connect' ? [change.database] : []))
    .toSorted()
    .map((database) => lock('database', database));

function headOf(desired: ScriptedRole, plan: readonly RoleChange[]): string {
  const { namespace, name } = desired.owner;
  const what = {
    present: 'asks for a database role. On a server without that role this does:',
    absent: 'was deleted. What ends its access:',
    disabled: 'may not be used any more. What ends its access and keeps the role:',
    released: 'was deleted, and its access is to outlive it. What says so on the role:',
  }[desired.ensure];
  const rights = 'a role with CREATEROLE that may grant (with ADMIN OPTION) what is granted here';
  return [
    `IamDatabaseUser ${namespace}/${name} ${what}`,
    ...plan
      .flatMap((change) => (change.do === 'mark' ? [] : sqlOf(change, desired.username)))
      .map((sql) => `  ${oneLine(sql)};`),
    `Run all of it in database "postgres" of the writer, as ${rights}.`,
    `It may be run again. Each transaction changes nothing where one of its checks fails, or a lock is not free within ${lockMs / 1000} seconds.`,
  ]
    .map((line) => `-- ${line}`)
    .join('\n');
}

const oneLine = (sql: string) => sql.replaceAll(/[\r\n]+/g, ' ');

const ordinary = { never: [], byNameOnly: [] };

/** None is there, and nothing is in the way. */
const noneThere = ({ memberOf, connectDatabases }: PresentRole): ObservedRole => ({
  serverVersion: 0,
  admin: '',
  rdsIamExists: true,
  role: undefined,
  groups: memberOf.map((group) => ({ group, exists: true, power: ordinary })),
  databases: connectDatabases.map((database) => ({ database, exists: true, held: false, throughGroups: [] })),
});

/** It is there, with all that may have to be ended. */
const inUse = ({ owner }: AbsentRole): ObservedEnding => ({
  serverVersion: 0,
  role: {
    login: true,
    mark: markOf(owner, [], []),
    memberships: [],
    rdsIam: { ours: true },
    connectGrants: [],
    sessions: 1,
    ownsIn: ['each database'],
    heldBy: undefined,
  },
});
