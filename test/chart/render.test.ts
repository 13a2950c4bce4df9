// Every manifest is one that an API server takes, in a namespace that enforces the restricted Pod Security level.
import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import {
  type ApiServer,
  applyManifest,
  createRestrictedNamespace,
  podRefusalOf,
  refusalOf,
  startApiServer,
  untilServed,
} from './api-server.ts';
import { type ChartValues, helm, type Manifest, noHelm, podOf, releaseNamespace } from './helm.ts';
import { monitorCRDs } from './monitor-crds.ts';
import { nested, samples } from './samples.ts';

let server: ApiServer;

beforeAll(async () => {
  if (noHelm) return;
  server = await startApiServer();
  await createRestrictedNamespace(server.kube, releaseNamespace);
  await createRestrictedNamespace(server.kube, 'payments');
  await createRestrictedNamespace(server.kube, 'shop');
  for (const crd of monitorCRDs) await applyManifest(server.kube, crd);
  for (const kind of ['ServiceMonitor', 'PodMonitor', 'PrometheusRule']) {
    await untilServed(server.kube, {
      apiVersion: 'monitoring.coreos.com/v1',
      kind,
      metadata: { name: 'any' },
    });
  }
});
afterAll(() => server?.stop());

/** Those of which two cannot be had, or that take away what others belong to. */
const apart = new Set([
  'crds.install',
  'serviceAccount.create',
  'rbac.create',
  'rbac.aggregate',
  'admissionPolicies.enabled',
  'podDisruptionBudget.enabled',
  'service.enabled',
  'leaderElection.enabled',
]);
const together = Object.fromEntries(Object.entries(samples).filter(([path]) => !apart.has(path)));

const cases: readonly (readonly [name: string, values: ChartValues, kinds: number])[] = [
  ['the defaults', {}, 19],
  ['every value at once', nested(together), 38],
  ['one replica without an election', nested({ replicas: 1, 'leaderElection.enabled': false }), 18],
  [
    "the platform's own account, roles and CRDs",
    nested({
      'serviceAccount.create': false,
      'serviceAccount.name': 'own',
      'rbac.create': false,
      'crds.install': false,
    }),
    9,
  ],
  [
    'no more than the Deployment needs',
    nested({
      'rbac.aggregate': false,
      'admissionPolicies.enabled': false,
      'podDisruptionBudget.enabled': false,
      'service.enabled': false,
    }),
    8,
  ],
  ['another name', { fullnameOverride: 'x'.repeat(63), operatorID: 'o'.repeat(63) }, 19],
];

describe.skipIf(noHelm)('an API server', () => {
  it.each(cases)('takes what is rendered with %s', async (_name, values, kinds) => {
    const manifests = await helm.render(values);
    const refusals = await Promise.all(manifests.map((manifest) => refusalOf(server.kube, manifest)));
    expect(refusals.filter((refusal) => refusal !== undefined)).toEqual([]);
    expect(manifests).toHaveLength(kinds);
    expect(await podRefusalOf(server.kube, releaseNamespace, podOf(manifests))).toBeUndefined();
  });

  it('would say so if it did not: an unknown field, and a pod that the restricted level forbids', async () => {
    const manifests = await helm.render();
    const mistyped = manifests.map((manifest) =>
      manifest.kind === 'Service' ? { ...manifest, spec: { prots: [] } } : manifest,
    );
    const refusals = await Promise.all(mistyped.map((manifest) => refusalOf(server.kube, manifest)));
    expect(refusals.filter((refusal) => refusal !== undefined)).toEqual([
      expect.stringMatching(/^Service iamdb-operator: .*prots/),
    ]);
    const loose = await helm.render({ securityContext: { allowPrivilegeEscalation: true } });
    expect(await podRefusalOf(server.kube, releaseNamespace, podOf(loose))).toMatch(
      /violates PodSecurity "restricted:latest": allowPrivilegeEscalation/,
    );
  });
});

describe.skipIf(noHelm)('a CRD in the chart', () => {
  const folder = resolve(import.meta.dirname, '../../crds');
  const shipped = readdirSync(folder).map(
    (name) => parse(readFileSync(`${folder}/${name}`, 'utf8')) as Manifest,
  );
  const crds = async (values: ChartValues = {}) =>
    (await helm.render(values)).filter(({ kind }) => kind === 'CustomResourceDefinition');

  it('is the one that kubectl users get', async () => {
    const specs = (some: readonly Manifest[]) => some.map(({ metadata, spec }) => [metadata.name, spec]);
    expect(specs(await crds())).toEqual(specs(shipped));
  });

  it('is left out for whoever installs it, or keeps a newer one', async () => {
    expect(await crds({ crds: { install: false } })).toEqual([]);
  });

  it('stays when the chart goes, unless told otherwise', async () => {
    const policies = (some: readonly Manifest[]) =>
      some.map(({ metadata }) => metadata.annotations?.['helm.sh/resource-policy']);
    expect(policies(await crds())).toEqual(['keep', 'keep']);
    expect(policies(await crds({ crds: { keep: false } }))).toEqual([undefined, undefined]);
  });
});
