import { beforeAll, describe, expect, it } from 'vitest';
import { createRdsTrust } from '../../../test/bed/rds-trust.ts';
import { createAuthority } from '../../../test/bed/x509.ts';
import { converge } from '../../kernel/converge.ts';
import type { ConfigMaps, KeptConfigMap, NewConfigMap } from '../../kernel/config-map.ts';
import {
  type DesiredTrustBundle,
  describeTrustBundle,
  planTrustBundle,
  retainedAnnotation,
  rootsAnnotation,
  type TrustBundleChange,
  type TrustContribution,
} from './plan.ts';
import { publicRoots } from '../../systems/trust-store/public-roots.ts';
import { trustBundleResource } from './resource.ts';
import { publicRegion } from './roots.ts';

const now = Date.now();
const seoul = 'ap-northeast-2';
const ireland = 'eu-west-1';
const asks = (region: string, throughProxies = false): TrustContribution => ({
  state: 'present',
  region,
  partition: 'aws',
  throughProxies,
});
const unknown: TrustContribution = { state: 'unknown' };

let bundles: ReadonlyMap<string, string>;
let rotated: ReadonlyMap<string, string>;
let bundleOf: (region: string) => string;
beforeAll(async () => {
  const [first, second, third] = await Promise.all([
    createRdsTrust(seoul),
    createRdsTrust(ireland),
    createRdsTrust(seoul, 2),
  ]);
  bundles = new Map([
    [seoul, first.roots.join('')],
    [ireland, second.roots.join('')],
    [publicRegion, publicRoots()],
  ]);
  rotated = new Map([...bundles, [seoul, third.roots.join('')]]);
  bundleOf = (region) => bundles.get(region) ?? '';
}, 30_000);

function desire(
  contributions: readonly TrustContribution[],
  changes: Partial<DesiredTrustBundle> = {},
): DesiredTrustBundle {
  return {
    namespace: 'payments',
    name: 'rds-ca',
    operatorID: 'prod',
    contributions,
    complete: true,
    bundles,
    ...changes,
  };
}

/** What the API server returns for what was written. */
function kept(written: NewConfigMap): KeptConfigMap {
  return { ...written, uid: 'cm-uid', resourceVersion: '7' };
}

function only(changes: ReturnType<typeof planTrustBundle>): TrustBundleChange {
  if ('refused' in changes) throw changes.refused;
  const [change] = changes;
  if (change === undefined || changes.length !== 1) throw new Error(`${changes.length} changes`);
  return change;
}

function written(changes: ReturnType<typeof planTrustBundle>): NewConfigMap {
  const change = only(changes);
  if (change.do === 'remove') throw new Error('removed');
  return change.configMap;
}

/** The bundle as it stands after these users were served. */
function standing(...contributions: readonly TrustContribution[]): KeptConfigMap {
  return kept(written(planTrustBundle(desire(contributions), { configMap: undefined }, now)));
}

const certificates = (text: string | undefined): number => text?.match(/BEGIN CERTIFICATE/g)?.length ?? 0;

describe('the trust bundle of a namespace', () => {
  it('holds the roots of the region, as AWS names the file and as ca.crt', () => {
    const configMap = written(planTrustBundle(desire([asks(seoul)]), { configMap: undefined }, now));
    expect(Object.keys(configMap.data).toSorted()).toEqual(['ap-northeast-2-bundle.pem', 'ca.crt']);
    expect(certificates(configMap.data['ca.crt'])).toBe(3);
    expect(configMap.data['ca.crt']).toBe(configMap.data['ap-northeast-2-bundle.pem']);
    expect(configMap.labels).toEqual({
      'app.kubernetes.io/managed-by': 'iamdb-operator',
      'iamdb.dev/operator-id': 'prod',
      'iamdb.dev/kind': 'trust-bundle',
    });
    expect(configMap).not.toHaveProperty('ownerReferences');
  });

  it('is the union of the regions asked for', () => {
    const { data } = standing(asks(seoul), asks(ireland), asks(seoul));
    expect(Object.keys(data)).toHaveLength(3);
    expect(certificates(data['ca.crt'])).toBe(6);
    expect(certificates(data['eu-west-1-bundle.pem'])).toBe(3);
  });

  it('keeps those of a region with a longer name while a user is not known', async () => {
    const region = 'us-gov-west-1';
    const { roots } = await createRdsTrust(region);
    const more = { bundles: new Map([...bundles, [region, roots.join('')]]) };
    const both = desire([asks(seoul), asks(region)], more);
    const configMap = kept(written(planTrustBundle(both, { configMap: undefined }, now)));
    expect(Object.keys(configMap.data)).toContain(`${region}-bundle.pem`);
    expect(planTrustBundle(desire([asks(seoul), unknown], more), { configMap }, now)).toEqual([]);
  });

  it("has Amazon's public roots where a user may come through a proxy, and loses them with the last of those", () => {
    const before = standing(asks(seoul));
    const both = written(
      planTrustBundle(desire([asks(seoul), asks(seoul, true)]), { configMap: before }, now),
    );
    expect(Object.keys(both.data)).toContain('public-bundle.pem');
    expect(certificates(both.data['public-bundle.pem'])).toBe(5);
    expect(certificates(both.data['ca.crt'])).toBe(8);
    expect(certificates(both.data[`${seoul}-bundle.pem`])).toBe(3);
    const held = kept(both);
    expect(planTrustBundle(desire([asks(seoul), asks(seoul, true)]), { configMap: held }, now)).toEqual([]);
    // Nobody knows yet whether that user still comes through it.
    expect(planTrustBundle(desire([asks(seoul), unknown]), { configMap: held }, now)).toEqual([]);
    const after = written(planTrustBundle(desire([asks(seoul)]), { configMap: held }, now));
    expect(after.data).toEqual(before.data);
  });

  it('outlives a user that leaves its access behind, and stays when nobody asks for it any more', () => {
    const left = written(
      planTrustBundle(desire([{ state: 'released' }]), { configMap: standing(asks(seoul)) }, now),
    );
    expect(left.data).toEqual(standing(asks(seoul)).data);
    for (const contributions of [[], [{ state: 'released' }]] as const) {
      expect(planTrustBundle(desire(contributions), { configMap: kept(left) }, now)).toEqual([]);
    }
    const taken = planTrustBundle(desire([asks(ireland)]), { configMap: kept(left) }, now);
    expect(Object.keys(written(taken).data)).toHaveLength(3);
    expect(planTrustBundle(desire([]), { configMap: kept(written(taken)) }, now)).toEqual([]);
  });

  it('is left alone when it holds what is asked for, whatever others added to its labels', () => {
    const configMap = standing(asks(seoul));
    const labelled = { ...configMap, labels: { ...configMap.labels, team: 'pay' } };
    expect(planTrustBundle(desire([asks(seoul)]), { configMap: labelled }, now)).toEqual([]);
  });

  it('gets a further region when a user asks for it', () => {
    const change = only(
      planTrustBundle(desire([asks(seoul), asks(ireland)]), { configMap: standing(asks(seoul)) }, now),
    );
    expect(change).toMatchObject({ do: 'replace', resourceVersion: '7', dropped: [] });
  });

  it('keeps the old roots after a rotation', () => {
    const desired = desire([asks(seoul)], { bundles: rotated });
    const configMap = written(planTrustBundle(desired, { configMap: standing(asks(seoul)) }, now));
    expect(certificates(configMap.data['ca.crt'])).toBe(6);
    expect(planTrustBundle(desired, { configMap: kept(configMap) }, now)).toEqual([]);
  });

  it('stays whole when the trust store lists fewer roots than before, or cannot be asked', () => {
    const fewer = new Map([
      [seoul, `${bundleOf(seoul).split('-----END')[0] ?? ''}-----END CERTIFICATE-----`],
    ]);
    const configMap = standing(asks(seoul));
    for (const now_ of [fewer, new Map<string, string>()]) {
      expect(planTrustBundle(desire([asks(seoul)], { bundles: now_ }), { configMap }, now)).toEqual([]);
    }
  });

  it('lets expired roots go, and says which', async () => {
    const short = await createAuthority({
      subject: { commonName: `Amazon RDS ${seoul} Root CA Short` },
      keyType: 'p-256',
      notAfter: new Date(now + 86_400_000),
    });
    const before = desire([asks(seoul)], {
      bundles: new Map([[seoul, bundleOf(seoul) + short.certificatePem]]),
    });
    const configMap = kept(written(planTrustBundle(before, { configMap: undefined }, now)));
    expect(certificates(configMap.data['ca.crt'])).toBe(4);
    const later = planTrustBundle(desire([asks(seoul)]), { configMap }, now + 2 * 86_400_000);
    expect(certificates(written(later).data['ca.crt'])).toBe(3);
  });

  it('drops a root that somebody slipped in, and keeps the one that the trust store withdrew', async () => {
    const slipped = await createAuthority({
      subject: { commonName: `Amazon RDS ${seoul} Root CA RSA2048 G9` },
      keyType: 'p-256',
    });
    const standingNow = standing(asks(seoul));
    const data = Object.fromEntries(
      Object.entries(standingNow.data).map(([key, text]) => [key, text + slipped.certificatePem]),
    );
    const change = only(
      planTrustBundle(
        desire([asks(seoul)], { bundles: rotated }),
        { configMap: { ...standingNow, data } },
        now,
      ),
    );
    expect(change).toMatchObject({ do: 'replace', dropped: [`Amazon RDS ${seoul} Root CA RSA2048 G9`] });
    expect(certificates(written([change]).data['ca.crt'])).toBe(6);
  });

  const drifts: readonly (readonly [string, (good: KeptConfigMap) => KeptConfigMap])[] = [
    ['a key was emptied', (good) => ({ ...good, data: { ...good.data, 'ca.crt': '' } })],
    ['a key was removed', (good) => ({ ...good, data: { 'ca.crt': good.data['ca.crt'] ?? '' } })],
    ['everything was removed', (good) => ({ ...good, data: {} })],
    ['a key was added', (good) => ({ ...good, data: { ...good.data, extra: 'x' } })],
    ['its annotation was removed', (good) => ({ ...good, annotations: {} })],
    [
      'it was given an owner, with whom it would go',
      (good) => ({
        ...good,
        ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'p', uid: 'u' }],
      }),
    ],
  ];
  it.each(drifts)('is repaired when %s', (_, spoil) => {
    const good = standing(asks(seoul));
    const { uid: _uid, resourceVersion: _version, ...wished } = good;
    const change = only(planTrustBundle(desire([asks(seoul)]), { configMap: spoil(good) }, now));
    expect(change).toMatchObject({ do: 'replace', configMap: wished });
  });
});

describe('a region that nobody asks for any more', () => {
  it('goes, and the change says whose roots went', () => {
    const configMap = standing(asks(seoul), asks(ireland));
    const change = only(planTrustBundle(desire([asks(seoul)]), { configMap }, now));
    expect(change).toMatchObject({ do: 'replace' });
    expect(Object.keys(written([change]).data).toSorted()).toEqual(['ap-northeast-2-bundle.pem', 'ca.crt']);
    expect('dropped' in change ? change.dropped.length : 0).toBe(3);
  });

  it.each([
    ['a user is unknown', { contributions: [asks(seoul), unknown] }],
    ['not all users are known', { complete: false }],
  ] as const)('stays while %s', (_, changes) => {
    const configMap = standing(asks(seoul), asks(ireland));
    expect(planTrustBundle(desire([asks(seoul)], changes), { configMap }, now)).toEqual([]);
  });

  it('takes the ConfigMap along when it was the last, by its uid', () => {
    const configMap = standing(asks(seoul));
    expect(planTrustBundle(desire([]), { configMap }, now)).toEqual([{ do: 'remove', uid: 'cm-uid' }]);
    expect(planTrustBundle(desire([]), { configMap: undefined }, now)).toEqual([]);
  });

  it.each([
    ['a user is unknown', [unknown], true],
    ['not all users are known', [], false],
  ] as const)('leaves the ConfigMap while %s', (_, contributions, complete) => {
    const configMap = standing(asks(seoul));
    expect(planTrustBundle(desire(contributions, { complete }), { configMap }, now)).toEqual([]);
    expect(planTrustBundle(desire(contributions, { complete }), { configMap: undefined }, now)).toEqual([]);
  });
});

describe('a ConfigMap of that name that is not ours', () => {
  const others: readonly (readonly [string, Readonly<Record<string, string>>])[] = [
    ['without a mark', {}],
    ['of another tool', { 'app.kubernetes.io/managed-by': 'Helm' }],
    ['of another operator', { 'iamdb.dev/operator-id': 'staging' }],
    ['kept as a connection', { 'iamdb.dev/kind': 'connection' }],
  ];
  it.each(others)('%s is refused and stays untouched', (_, labels) => {
    const own = standing(asks(seoul));
    const configMap = {
      ...own,
      labels: Object.keys(labels).length === 0 ? {} : { ...own.labels, ...labels },
      data: { 'ca.crt': 'theirs' },
    };
    expect(planTrustBundle(desire([asks(seoul)]), { configMap }, now)).toMatchObject({
      refused: { reason: 'ForeignConfigMap', kind: 'conflict' },
    });
    expect(planTrustBundle(desire([]), { configMap }, now)).toEqual([]);
  });
});

describe('a region whose bundle is not at hand', () => {
  it('is told, and nothing is written', () => {
    const desired = desire([asks(seoul)], { bundles: new Map() });
    expect(planTrustBundle(desired, { configMap: undefined }, now)).toMatchObject({
      refused: { reason: 'BundleUnavailable', message: expect.stringContaining(seoul) as unknown },
    });
  });

  it('does not keep another region from its users', () => {
    const desired = desire([asks(seoul), asks(ireland)], { bundles: new Map([[seoul, bundleOf(seoul)]]) });
    const configMap = written(planTrustBundle(desired, { configMap: undefined }, now));
    expect(certificates(configMap.data['ca.crt'])).toBe(3);
    expect(planTrustBundle(desired, { configMap: kept(configMap) }, now)).toMatchObject({
      refused: { reason: 'BundleUnavailable', message: expect.stringContaining(ireland) as unknown },
    });
  });

  it('is refused when the bundle is no bundle', () => {
    const desired = desire([asks(seoul)], { bundles: new Map([[seoul, '<html>']]) });
    expect(planTrustBundle(desired, { configMap: undefined }, now)).toMatchObject({
      refused: { reason: 'BundleInvalid' },
    });
  });
});

describe('what is told of a trust bundle', () => {
  const messageOf = (desired: DesiredTrustBundle, configMap: KeptConfigMap | undefined) => {
    const plan = planTrustBundle(desired, { configMap }, now);
    return 'refused' in plan ? plan.refused.message : 'not refused';
  };

  it('is what to do about a ConfigMap that is in the way', () => {
    expect(messageOf(desire([asks(seoul)]), { ...standing(asks(seoul)), labels: {} })).toBe(
      'The ConfigMap payments/rds-ca is not a trust bundle of this operator. Set spec.trustBundle.configMapName to another name, or delete that ConfigMap if nobody needs it.',
    );
  });

  it('is every region whose roots are not at hand, and what to do about that', () => {
    const desired = desire([asks(ireland), asks(seoul)], { bundles: new Map() });
    expect(planTrustBundle(desired, { configMap: undefined }, now)).toMatchObject({
      refused: { kind: 'unavailable' },
    });
    expect(messageOf(desired, undefined)).toBe(
      'No certificate bundle of ap-northeast-2, eu-west-1 is at hand. Allow the operator to reach the trust store, or set --trust-store-url to a mirror.',
    );
  });

  it('is which files it gets and whose roots leave it', () => {
    const shown = 'ConfigMap payments/rds-ca:';
    const desired = desire([asks(seoul)]);
    const describeOnly = (configMap: KeptConfigMap | undefined, wished = desired) =>
      describeTrustBundle(only(planTrustBundle(wished, { configMap }, now)), wished);
    expect(describeOnly(undefined)).toEqual([`${shown} create with ca.crt, ap-northeast-2-bundle.pem`]);
    expect(describeOnly(standing(asks(seoul)), desire([]))).toEqual([`${shown} delete`]);
    const [first, ...dropped] = describeOnly(standing(asks(seoul), asks(ireland)));
    expect(first).toBe(`${shown} replace with ca.crt, ap-northeast-2-bundle.pem`);
    expect(dropped).toHaveLength(3);
    for (const line of dropped) {
      expect(line.startsWith(`${shown} drop Amazon RDS ${ireland} Root CA `)).toBe(true);
    }
  });
});

describe('a trust bundle that is left behind', () => {
  it('is marked, and nothing else of it changes', () => {
    const before = standing(asks(seoul));
    const { uid: _uid, resourceVersion: _version, ownerReferences: _owners, ...asItIs } = before;
    expect(planTrustBundle(desire([{ state: 'released' }]), { configMap: before }, now)).toEqual([
      {
        do: 'replace',
        configMap: { ...asItIs, annotations: { ...before.annotations, [retainedAnnotation]: 'true' } },
        resourceVersion: '7',
        dropped: [],
      },
    ]);
  });

  it('stays so while another user is served from it', () => {
    const both = desire([asks(seoul), { state: 'released' }]);
    const marked = kept(written(planTrustBundle(both, { configMap: undefined }, now)));
    expect(marked.annotations[retainedAnnotation]).toBe('true');
    expect(planTrustBundle(desire([asks(seoul)]), { configMap: marked }, now)).toEqual([]);
    const { [retainedAnnotation]: _mark, ...unmarked } = marked.annotations;
    expect(planTrustBundle(both, { configMap: { ...marked, annotations: unmarked } }, now)).toMatchObject([
      { do: 'replace', configMap: { annotations: marked.annotations } },
    ]);
    expect(standing(asks(seoul)).annotations).not.toHaveProperty(retainedAnnotation);
  });

  it("is not made for it where there is none, nor is a stranger's touched", () => {
    const released = desire([{ state: 'released' }]);
    expect(planTrustBundle(released, { configMap: undefined }, now)).toEqual([]);
    const theirs = { ...standing(asks(seoul)), labels: {} };
    expect(planTrustBundle(released, { configMap: theirs }, now)).toEqual([]);
  });
});

describe('a key that only looks like one of ours', () => {
  it.each([
    'xeu-west-1-bundle.pem',
    'eu-west-1-bundle.pem.bak',
    'EU-WEST-1-bundle.pem',
    'eu-west-bundle.pem',
  ])('is not kept: %s', (key) => {
    const good = standing(asks(seoul));
    const configMap = { ...good, data: { ...good.data, [key]: bundleOf(ireland) } };
    const plan = planTrustBundle(desire([asks(seoul), unknown]), { configMap }, now);
    expect(written(plan).data).toEqual(good.data);
    expect(plan).toMatchObject([{ dropped: [] }]);
  });
});

describe('keeping the trust bundle', () => {
  it('takes one read and one write to create it, and none afterwards', async () => {
    const log: string[] = [];
    let held: KeptConfigMap | undefined;
    const configMaps: ConfigMaps = {
      get: () => {
        log.push('get');
        return Promise.resolve(held);
      },
      create: (desired) => {
        log.push('create');
        held = kept(desired);
        return Promise.resolve(held);
      },
      replace: () => Promise.reject(new Error('nothing to replace')),
      remove: (_namespace, _name, uid) => {
        log.push(`remove ${uid}`);
        held = undefined;
        return Promise.resolve();
      },
    };
    const resource = trustBundleResource({ configMaps, now: () => now });
    const { signal } = new AbortController();
    const wish = desire([asks(seoul)]);
    expect(await converge(resource, wish, 'Enforce', signal)).toMatchObject({ result: 'changed' });
    expect(await converge(resource, wish, 'Enforce', signal)).toMatchObject({ result: 'converged' });
    expect(await converge(resource, desire([]), 'Enforce', signal)).toMatchObject({ result: 'changed' });
    expect(log).toEqual(['get', 'create', 'get', 'get', 'remove cm-uid']);
  });

  it('marks what it wrote by fingerprint', () => {
    expect(standing(asks(seoul)).annotations[rootsAnnotation]?.split(',')).toHaveLength(3);
  });
});
