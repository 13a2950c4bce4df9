// The sweep, in an AWS of several accounts that are not all well.
import { expect, it } from 'vitest';
import { accountID, aDatabase } from '../../test/builders/objects.ts';
import type { IamDatabaseUser } from '../api/objects.ts';
import { createStore } from '../controller/store.ts';
import { Failure } from '../kernel/failure.ts';
import type { KnownPolicy } from '../resources/policy/known-roles.ts';
import { noPodIdentities } from './pod-identities.ts';
import { createSweeper } from './sweeper.ts';
import { type ServiceAccountObject, serviceAccountIndexes, serviceAccountView } from './service-accounts.ts';
import { userIndexes } from './users-by-role.ts';
import type { LookAtAccount } from './without-user.ts';

const leftBehind: KnownPolicy = {
  policyARN: `arn:aws:iam::${accountID}:policy/iamdb/op/iamdb-payments-gone-0`,
  tags: {},
  roleARN: `arn:aws:iam::${accountID}:role/payments-gone`,
  arns: [],
  usernames: ['payments_gone'],
};
const unclaimed = `arn:aws:rds-db:eu-west-1:${accountID}:dbuser:cluster-ABC/payments_gone`;
const denied = new Failure('denied', 'AccessDenied', 'AWS refused the operator iam:GetAccountSummary.');
const refused = new Failure('denied', 'AssumeRoleRefused', 'AWS does not let the operator assume a role.');

function sweepOf(options: {
  readonly own: () => Promise<void>;
  readonly elsewhere: () => Promise<void>;
  readonly attachments?: (policyARNs: readonly string[]) => Promise<void>;
}) {
  const report = () => {};
  const users = createStore<IamDatabaseUser, keyof typeof userIndexes>({ indexes: userIndexes, report });
  const serviceAccounts = createStore<ServiceAccountObject, 'role'>({
    indexes: serviceAccountIndexes,
    report,
  });
  const assumeRole = { arn: 'arn:aws:iam::444455556666:role/iamdb' };
  const elsewhere = aDatabase({ metadata: { name: 'elsewhere' }, spec: { assumeRole } });
  const converged: string[] = [];
  const afresh: string[] = [];
  const noted: Failure[] = [];
  const told: (readonly LookAtAccount[])[] = [];
  const unchanged = { result: 'converged', observed: { shards: [] } } as never;
  const sweep = createSweeper({
    world: {
      ...serviceAccountView(serviceAccounts, noPodIdentities),
      note: (failure) => noted.push(failure),
      databases: () => [elsewhere],
      database: () => undefined,
      convergePolicy: async (roleARN) => {
        converged.push(roleARN);
        return await Promise.resolve({ managed: unchanged, inline: undefined });
      },
      convergeBundle: async () => await Promise.resolve(unchanged),
      lookAfresh: (roleARN) => afresh.push(roleARN),
      withoutUser: ({ roleARN }) => (roleARN === leftBehind.roleARN ? [unclaimed] : []),
    },
    tell: (looks) => told.push(looks),
    caches: { users, serviceAccounts, configMaps: { list: () => [] } as never },
    aws: {
      as: (identity) =>
        (identity === undefined
          ? {
              lookAtQuotas: options.own,
              knownPolicies: async () => await Promise.resolve([leftBehind]),
              iam: { readAttachmentsAgain: options.attachments ?? works },
            }
          : {
              lookAtQuotas: options.elsewhere,
              knownPolicies: options.elsewhere,
              iam: { readAttachmentsAgain: works },
            }) as never,
    },
    timeScale: 1,
  });
  return {
    sweep: async () => await sweep('all', AbortSignal.timeout(5_000)),
    converged,
    noted,
    told,
    afresh,
  };
}

const fails = (failure: Error) => async () => await Promise.reject(failure);
const works = async () => await Promise.resolve([] as never);

it('finds what is left behind though quotas are denied and another account refuses, tells each trouble once, and looks again later', async () => {
  const { sweep, converged, noted } = sweepOf({ own: fails(denied), elsewhere: fails(refused) });
  expect(await sweep()).toEqual({ afterMs: 15_000 });
  expect(converged).toEqual([leftBehind.roleARN]);
  expect(noted.toSorted((a, b) => a.message.localeCompare(b.message))).toEqual([refused, denied]);
});

it('waits longer from one failed look to the next, but no longer than between looks that succeed', async () => {
  let isDown = true;
  const { sweep } = sweepOf({ own: works, elsewhere: async () => await (isDown ? fails(refused) : works)() });
  const waits = [];
  for (let look = 0; look < 8; look += 1) waits.push((await sweep()).afterMs);
  expect(waits).toEqual([15_000, 30_000, 60_000, 120_000, 240_000, 480_000, 600_000, 600_000]);
  isDown = false;
  expect(await sweep()).toEqual({ afterMs: 600_000 });
  isDown = true;
  expect(await sweep()).toEqual({ afterMs: 15_000 });
});

it('reads attachments of what it found again, and comes again soon where they are denied', async () => {
  const asked: (readonly string[])[] = [];
  const attachments = async (policyARNs: readonly string[]) => {
    asked.push(policyARNs);
    await fails(denied)();
  };
  const { sweep, noted } = sweepOf({ own: works, elsewhere: works, attachments });
  expect(await sweep()).toEqual({ afterMs: 15_000 });
  expect(asked).toEqual([[leftBehind.policyARN]]);
  expect(noted).toEqual([denied]);
});

it('fails by what nobody foresaw, which is a defect', async () => {
  const { sweep, converged } = sweepOf({ own: fails(new TypeError('x')), elsewhere: works });
  await expect(sweep()).rejects.toMatchObject({ kind: 'unexpected' });
  expect(converged).toEqual([leftBehind.roleARN]);
});

it('tells by account what a policy allows for nobody, and of an account that could not be looked at that nothing is known', async () => {
  const { sweep, told, afresh } = sweepOf({ own: works, elsewhere: fails(refused) });
  await sweep();
  expect(afresh).toEqual([leftBehind.roleARN]);
  const { policyARN, roleARN } = leftBehind;
  expect(told).toEqual([
    [
      { account: 'own', found: [{ policyARN, roleARN, arns: [unclaimed], isNamed: false }] },
      { account: '444455556666', found: undefined },
    ],
  ]);
});
