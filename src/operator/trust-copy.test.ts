// The copy of the certificate authorities that outlives a restart: what is written when, and what of it is believed.
import { beforeAll, beforeEach, expect, it } from 'vitest';
import { configMapModel, type ConfigMapModel } from '../../test/builders/config-maps.ts';
import { createRdsTrust } from '../../test/bed/rds-trust.ts';
import { labels } from '../api/names.ts';
import type { Failure } from '../kernel/failure.ts';
import { rootsWithin, uniteRoots, writeRoots } from '../resources/trust-bundle/roots.ts';
import type { RootsCopy } from '../systems/trust-store/trust-store.ts';
import { trustCopy } from './trust-copy.ts';

const day = 86_400_000;
const { signal } = new AbortController();
const name = 'iamdb-operator-op-1-trust-store';
const regions = ['eu-west-1', 'us-east-1'] as const;
const now = Date.now();

let texts: Readonly<Record<string, string>>;
beforeAll(async () => {
  const trusts = await Promise.all(regions.map((region) => createRdsTrust(region)));
  texts = Object.fromEntries(
    trusts.map(({ region, roots }) => {
      const found = rootsWithin(roots.join(''), { region, now });
      return [region, writeRoots(uniteRoots([], found, now))];
    }),
  );
}, 30_000);

let maps: ConfigMapModel;
let failures: Failure[];
beforeEach(() => {
  maps = configMapModel(() => {});
  failures = [];
});
const open = (changes: Partial<Parameters<typeof trustCopy>[0]> = {}): RootsCopy =>
  trustCopy({
    configMaps: maps,
    operatorID: 'op-1',
    namespace: 'iamdb-system',
    isPlanned: false,
    renewMs: day,
    now: () => now,
    onError: (failure) => failures.push(failure),
    ...changes,
  });
const rootsOf = (region: string, fetchedAt = now) => ({ text: texts[region] ?? '', fetchedAt });
const stored = async () => await maps.get('iamdb-system', name, signal);

it('all regions are kept in one ConfigMap with our marks, whoever comes at once', async () => {
  const copy = open();
  await Promise.all(regions.map((region) => copy.keep(region, rootsOf(region))));
  for (const region of regions) expect(await open().find(region, signal)).toEqual(rootsOf(region));
  const { labels: marks, data } = (await stored()) ?? { labels: {}, data: {} };
  expect(marks).toMatchObject({ [labels.operatorID]: 'op-1', [labels.kind]: 'trust-store' });
  expect(Object.keys(data).toSorted()).toEqual(regions.map((region) => `${region}-bundle.pem`));
  expect(failures).toEqual([]);
});

it.each([
  ['an hour later, the same', 3_600_000, false],
  ['a day later, the same', day, true],
])('%s: written anew is %s', async (_, later, isWritten) => {
  await open().keep('eu-west-1', rootsOf('eu-west-1'));
  const before = (await stored())?.resourceVersion;
  await open().keep('eu-west-1', rootsOf('eu-west-1', now + later));
  expect((await stored())?.resourceVersion !== before).toBe(isWritten);
});

it('in plan mode nothing is written', async () => {
  await open({ isPlanned: true }).keep('eu-west-1', rootsOf('eu-west-1'));
  expect(await stored()).toBeUndefined();
});

it('what has ended, or is of another region, is not believed', async () => {
  await open().keep('eu-west-1', rootsOf('eu-west-1'));
  expect(await open({ now: () => Date.parse('2999-01-01') }).find('eu-west-1', signal)).toBeUndefined();
  await open().keep('eu-west-1', rootsOf('us-east-1'));
  expect(await open().find('eu-west-1', signal)).toBeUndefined();
  expect(await open().find('us-east-1', signal)).toBeUndefined();
});

it('a ConfigMap of somebody else is left alone, and that it is there is told', async () => {
  maps.foreign.add(`iamdb-system/${name}`);
  await open().keep('eu-west-1', rootsOf('eu-west-1'));
  expect(failures.map(({ reason }) => reason)).toEqual(['ForeignConfigMap']);
});
