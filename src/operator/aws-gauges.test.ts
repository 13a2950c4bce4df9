// Gauges of accounts and regions come and go with the IamDatabases that name them.
import { expect, it } from 'vitest';
import { aDatabase } from '../../test/builders/objects.ts';
import type { IamDatabase } from '../api/objects.ts';
import { createMetrics } from '../ops/metrics.ts';
import { tellOfAws } from './aws-gauges.ts';

const assumeRole = { arn: 'arn:aws:iam::444455556666:role/iamdb' };
const inRegion = (region: string, spec: object = {}) =>
  aDatabase({
    metadata: { name: `in-${region}` },
    spec: { target: { type: 'Cluster', cluster: { identifier: 'orders', region } }, ...spec } as never,
  });

it('tells of what is named at the moment, of the own account always, and of what is unknown nothing', async () => {
  let databases: readonly IamDatabase[] = [];
  const metrics = createMetrics();
  tellOfAws(
    { metrics, databases: () => databases },
    {
      quotas: (identity) =>
        new Map(
          identity === undefined
            ? [['policies', { used: 1, limit: 10 }]]
            : [['policies', { used: identity.arn.endsWith('more') ? 3 : 2, limit: undefined }]],
        ),
      bundle: (region) => (region === 'us-east-1' ? undefined : { endsAt: 5_000, fetchedAt: 3_000 }),
    },
  );
  const told = async () =>
    (await metrics.text()).split('\n').filter((line) => /^iamdb_(iam_quota|ca)_/.test(line));
  const own = [
    'iamdb_iam_quota_used{account="own",quota="policies"} 1',
    'iamdb_iam_quota_limit{account="own",quota="policies"} 10',
  ];
  expect((await told()).toSorted()).toEqual(own.toSorted());

  databases = [inRegion('eu-west-1', { assumeRole }), inRegion('us-east-1')];
  expect((await told()).toSorted()).toEqual(
    [
      ...own,
      'iamdb_iam_quota_used{account="444455556666",quota="policies"} 2',
      'iamdb_ca_earliest_expiry_timestamp_seconds{region="eu-west-1"} 5',
      'iamdb_ca_bundle_fetched_timestamp_seconds{region="eu-west-1"} 3',
    ].toSorted(),
  );

  // Another role in the same account has seen more of it.
  const more = { arn: 'arn:aws:iam::444455556666:role/more' };
  databases = [inRegion('us-east-1', { assumeRole }), inRegion('us-west-2', { assumeRole: more })];
  expect((await told()).filter((line) => line.includes('444455556666'))).toEqual([
    'iamdb_iam_quota_used{account="444455556666",quota="policies"} 3',
  ]);

  databases = [];
  expect((await told()).toSorted()).toEqual(own.toSorted());
});
