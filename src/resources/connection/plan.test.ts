import { describe, expect, it } from 'vitest';
import { converge } from '../../kernel/converge.ts';
import { Failure } from '../../kernel/failure.ts';
import type { ConfigMaps, KeptConfigMap, NewConfigMap } from '../../kernel/config-map.ts';
import { type DesiredConnection, describeConnection, planConnection } from './plan.ts';
import { connectionResource } from './resource.ts';

const identity = {
  namespace: 'payments',
  name: 'checkout-connection',
  operatorID: 'prod',
  owner: { name: 'checkout', uid: 'uid-1' },
} as const;
const present: DesiredConnection = { ...identity, ensure: 'present', data: { PGHOST: 'db', PGPORT: '5432' } };
const absent: DesiredConnection = { ...identity, ensure: 'absent' };

const owner = {
  apiVersion: 'iamdb.dev/v1alpha1',
  kind: 'IamDatabaseUser',
  name: 'checkout',
  uid: 'uid-1',
  controller: true,
  blockOwnerDeletion: false,
};
const kept: KeptConfigMap = {
  uid: 'cm-uid',
  resourceVersion: '7',
  labels: {
    'app.kubernetes.io/managed-by': 'iamdb-operator',
    'iamdb.dev/operator-id': 'prod',
    'iamdb.dev/kind': 'connection',
  },
  annotations: { 'iamdb.dev/owner-uid': 'uid-1' },
  ownerReferences: [owner],
  data: { PGHOST: 'db', PGPORT: '5432' },
};
const wished: NewConfigMap = {
  namespace: 'payments',
  name: 'checkout-connection',
  labels: kept.labels,
  annotations: kept.annotations,
  ownerReferences: [owner],
  data: kept.data,
};
const replace = [{ do: 'replace', configMap: wished, resourceVersion: '7' }];
const ofAnother = {
  ...kept,
  annotations: { 'iamdb.dev/owner-uid': 'uid-9' },
  ownerReferences: [{ ...owner, name: 'refunds', uid: 'uid-9' }],
};
const ofPredecessor = {
  ...kept,
  annotations: { 'iamdb.dev/owner-uid': 'uid-0' },
  ownerReferences: [{ ...owner, uid: 'uid-0' }],
};
const { ownerReferences: _, ...ownerless } = kept;

describe('the connection ConfigMap', () => {
  it('is created where there is none, owned by its user', () => {
    expect(planConnection(present, { configMap: undefined })).toEqual([{ do: 'create', configMap: wished }]);
  });

  it('is left alone when it is as declared, whatever others added to its labels and annotations', () => {
    const decorated = {
      ...kept,
      labels: { ...kept.labels, team: 'pay' },
      annotations: { ...kept.annotations, note: 'hello' },
    };
    expect(planConnection(present, { configMap: kept })).toEqual([]);
    expect(planConnection(present, { configMap: decorated })).toEqual([]);
  });

  const drifted: readonly (readonly [string, KeptConfigMap])[] = [
    ['a value was changed', { ...kept, data: { ...kept.data, PGHOST: 'evil' } }],
    ['a key was removed', { ...kept, data: { PGHOST: 'db' } }],
    ['a key was added', { ...kept, data: { ...kept.data, PGPASSWORD: 'x' } }],
    ['a key was exchanged', { ...kept, data: { PGHOST: 'db', PGPORTS: '5432' } }],
    ['its owner was removed', ownerless],
    ['it was given a second owner', { ...kept, ownerReferences: [owner, { ...owner, name: 'x', uid: 'y' }] }],
    ['its owner no longer controls it', { ...kept, ownerReferences: [{ ...owner, controller: false }] }],
    ['its owner was renamed', { ...kept, ownerReferences: [{ ...owner, name: 'x' }] }],
    [
      'its owner has another version',
      { ...kept, ownerReferences: [{ ...owner, apiVersion: 'iamdb.dev/v1' }] },
    ],
    ['its owner is of another kind', { ...kept, ownerReferences: [{ ...owner, kind: 'Deployment' }] }],
    ['its owner was recreated', { ...kept, ownerReferences: [{ ...owner, uid: 'uid-0' }] }],
    ['its annotation was removed', { ...kept, annotations: {} }],
    ['it belongs to a deleted object of the same name', ofPredecessor],
  ];
  it.each(drifted)('is repaired when %s', (_, configMap) => {
    expect(planConnection(present, { configMap })).toEqual(replace);
  });

  const foreign: readonly (readonly [string, KeptConfigMap])[] = [
    ['nobody', { ...kept, labels: {} }],
    ['another tool', { ...kept, labels: { ...kept.labels, 'app.kubernetes.io/managed-by': 'Helm' } }],
    ['another operator', { ...kept, labels: { ...kept.labels, 'iamdb.dev/operator-id': 'staging' } }],
    ['a trust bundle', { ...kept, labels: { ...kept.labels, 'iamdb.dev/kind': 'trust-bundle' } }],
    ['no owner at all', { ...ownerless, annotations: {} }],
  ];
  it.each(foreign)('of %s is refused and stays untouched', (_, configMap) => {
    expect(planConnection(present, { configMap })).toMatchObject({ refused: { reason: 'ForeignConfigMap' } });
    expect(planConnection(absent, { configMap })).toEqual([]);
  });

  it('of another user is refused with the name of that user', () => {
    expect(planConnection(present, { configMap: ofAnother })).toMatchObject({
      refused: { reason: 'ConfigMapClaimed', message: expect.stringContaining('refunds') as unknown },
    });
    expect(planConnection(absent, { configMap: ofAnother })).toEqual([]);
  });

  it('cannot be taken over by an annotation alone', () => {
    const forged = { ...kept, annotations: { 'iamdb.dev/owner-uid': 'uid-9' } };
    expect(planConnection(present, { configMap: forged })).toMatchObject({
      refused: { reason: 'ConfigMapClaimed' },
    });
  });

  const refusalOf = (desired: DesiredConnection, configMap: KeptConfigMap) => {
    const plan = planConnection(desired, { configMap });
    return 'refused' in plan ? plan.refused.message : 'not refused';
  };
  const nature = (desired: DesiredConnection, configMap: KeptConfigMap) => {
    const plan = planConnection(desired, { configMap });
    return 'refused' in plan ? [plan.refused.kind, plan.refused.reason] : 'not refused';
  };

  it('that is in the way needs a person', () => {
    expect(nature(present, { ...kept, labels: {} })).toEqual(['conflict', 'ForeignConfigMap']);
    expect(nature({ ...present, kind: 'policy' }, kept)).toEqual(['conflict', 'ForeignConfigMap']);
    expect(nature(present, ofAnother)).toEqual(['conflict', 'ConfigMapClaimed']);
  });

  it('that is in the way is told with what to do about it', () => {
    expect(refusalOf(present, { ...kept, labels: {} })).toBe(
      'The ConfigMap payments/checkout-connection is not a connection of this operator. Set spec.connection.configMapName to another name, or delete that ConfigMap if nobody needs it.',
    );
    for (const kind of ['policy', 'sql'] as const) {
      expect(refusalOf({ ...present, kind }, kept)).toBe(
        'The ConfigMap payments/checkout-connection is not what this operator keeps under that name. Delete it if nobody needs it.',
      );
    }
    expect(refusalOf(present, ofAnother)).toBe(
      'The ConfigMap payments/checkout-connection is already kept for the IamDatabaseUser refunds. Set spec.connection.configMapName to a name of its own.',
    );
    const stranger = { ...ofAnother, ownerReferences: [{ ...owner, kind: 'Deployment', uid: 'uid-9' }] };
    const elsewhere = { ...ofAnother, ownerReferences: [{ ...owner, apiVersion: 'iamdb.development/v1' }] };
    for (const configMap of [stranger, elsewhere]) {
      expect(refusalOf(present, configMap)).toBe(
        'The ConfigMap payments/checkout-connection is already kept for another IamDatabaseUser. Set spec.connection.configMapName to a name of its own.',
      );
    }
  });

  it('is known by its owner where its annotation is gone', () => {
    expect(planConnection(absent, { configMap: { ...kept, annotations: {} } })).toEqual([
      { do: 'remove', uid: 'cm-uid' },
    ]);
  });

  it.each(['policy', 'sql'] as const)('is not the same as the ConfigMap of kind %s of that user', (kind) => {
    const labels = { ...kept.labels, 'iamdb.dev/kind': kind };
    const desired: DesiredConnection = { ...present, kind };
    expect(planConnection(desired, { configMap: undefined })).toEqual([
      { do: 'create', configMap: { ...wished, labels } },
    ]);
    expect(planConnection(desired, { configMap: { ...kept, labels } })).toEqual([]);
    expect(planConnection(present, { configMap: { ...kept, labels } })).toMatchObject({
      refused: { reason: 'ForeignConfigMap' },
    });
  });

  it("that says it is released and has an owner still is nobody else's to take", () => {
    const half = {
      ...ofAnother,
      annotations: { 'iamdb.dev/owner-uid': 'released' },
    };
    expect(planConnection(present, { configMap: half })).toMatchObject({
      refused: { reason: 'ConfigMapClaimed' },
    });
  });

  it('keeps the last data that it is let go with', () => {
    const data = { 'released.sql': 'nothing to do' };
    expect(planConnection({ ...identity, ensure: 'released', data }, { configMap: kept })).toMatchObject([
      { do: 'replace', configMap: { data, labels: kept.labels } },
    ]);
  });

  it('is shown in a plan with each of its entries, a script with each of its lines', () => {
    const shown = 'ConfigMap payments/checkout-connection:';
    expect(describeConnection({ do: 'remove', uid: 'cm-uid' }, identity)).toEqual([`${shown} delete`]);
    expect(describeConnection({ do: 'create', configMap: wished }, identity)).toEqual([
      `${shown} create`,
      `${shown} PGHOST=db`,
      `${shown} PGPORT=5432`,
    ]);
    const configMap = { ...wished, data: { 'role.sql': 'BEGIN;\nCOMMIT;' } };
    expect(
      describeConnection({ do: 'replace', configMap, resourceVersion: '7' }, { ...identity, kind: 'sql' }),
    ).toEqual([`${shown} replace`, `${shown} role.sql: BEGIN;`, `${shown} role.sql: COMMIT;`]);
  });

  it('that outlives its user has no owner whose end would take it along, and may be taken by the next', () => {
    const released: DesiredConnection = { ...identity, ensure: 'released' };
    const left = { ...wished, annotations: { 'iamdb.dev/owner-uid': 'released' }, ownerReferences: [] };
    const release = { do: 'replace', configMap: left, resourceVersion: '7' };
    expect(planConnection(released, { configMap: kept })).toEqual([release]);
    expect(planConnection(released, { configMap: ofAnother })).toEqual([]);
    const orphan = { ...kept, ...left };
    expect(planConnection(released, { configMap: orphan })).toEqual([]);
    expect(planConnection(absent, { configMap: orphan })).toEqual([]);
    expect(planConnection(present, { configMap: orphan })).toEqual(replace);
  });

  it('is removed with its user, by its uid, and only then', () => {
    expect(planConnection(absent, { configMap: kept })).toEqual([{ do: 'remove', uid: 'cm-uid' }]);
    expect(planConnection(absent, { configMap: undefined })).toEqual([]);
    expect(planConnection(absent, { configMap: ofPredecessor })).toEqual([]);
  });
});

interface Shelf extends ConfigMaps {
  readonly writes: string[];
  readonly reads: string[];
}

function shelf(start: KeptConfigMap | undefined): Shelf {
  let held = start;
  const writes: string[] = [];
  const reads: string[] = [];
  const keep = (desired: NewConfigMap): Promise<KeptConfigMap> => {
    held = { ...desired, uid: 'cm-uid', resourceVersion: '8' };
    return Promise.resolve(held);
  };
  return {
    writes,
    reads,
    get: (namespace, name) => {
      reads.push(`${namespace}/${name}`);
      return Promise.resolve(held);
    },
    create: (desired) => {
      writes.push('create');
      return keep(desired);
    },
    replace: (desired, resourceVersion) => {
      writes.push(`replace ${resourceVersion}`);
      return keep(desired);
    },
    remove: (namespace, name, uid) => {
      writes.push(`remove ${namespace}/${name} ${uid}`);
      held = undefined;
      return Promise.resolve();
    },
  };
}

describe('keeping the connection ConfigMap', () => {
  const { signal } = new AbortController();
  const cases = [
    ['creation', present, undefined, ['create']],
    ['repair', present, { ...kept, data: {} }, ['replace 7']],
    ['removal', absent, kept, ['remove payments/checkout-connection cm-uid']],
  ] as const;

  it.each(cases)('takes one read and one write for a %s', async (_, desired, start, writes) => {
    const configMaps = shelf(start);
    const outcome = await converge(connectionResource(configMaps), desired, 'Enforce', signal);
    expect(outcome.result).toBe('changed');
    expect(configMaps.writes).toEqual(writes);
    expect(configMaps.reads).toEqual(['payments/checkout-connection']);
  });

  it('passes on that somebody else made one of that name meanwhile', async () => {
    const failure = new Failure('conflict', 'ForeignConfigMap', 'taken');
    const configMaps = { ...shelf(undefined), create: () => Promise.reject(failure) };
    const outcome = await converge(connectionResource(configMaps), present, 'Enforce', signal);
    expect(outcome).toEqual({ result: 'failed', failure });
  });
});
