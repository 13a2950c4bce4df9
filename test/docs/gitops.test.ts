// What Argo CD, Flux and Kustomize read: scripts run by a Lua interpreter, derived files fresh, order told.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { type Condition, reasons } from '../../src/api/conditions.ts';
import { Failure } from '../../src/kernel/failure.ts';
import { conditionsOf, failed, good, type Link, waiting } from '../../src/reconcile/status.ts';
import { helm, type Manifest, noHelm } from '../chart/helm.ts';
import { argoActions, argoFile, type ArgoKind, argoKinds, argoText, argoYAML, renderArgo } from './argo.ts';
import { baseFile, renderBase } from './base.ts';
import { type Lua, noLua, startLua } from './lua.ts';
import { root } from './pages.ts';

interface Health {
  readonly status: string;
  readonly message: string;
}
interface HealthTests {
  readonly tests: readonly { readonly inputPath: string; readonly healthStatus: Health }[];
}
interface ActionTests {
  readonly discoveryTests: readonly {
    readonly inputPath: string;
    readonly result: readonly { readonly name: string; readonly disabled: boolean }[];
  }[];
  readonly actionTests: readonly {
    readonly action: string;
    readonly inputPath: string;
    readonly expectedOutputPath: string;
  }[];
}

const both = <T>(pick: (kind: ArgoKind) => readonly T[]) =>
  argoKinds.flatMap((kind) => pick(kind).map((one) => [kind, one] as const));
const told = <T>(some: readonly (readonly [ArgoKind, T])[], name: (one: T) => string) =>
  some.map(([kind, one]) => [`${kind} ${name(one)}`, kind, one] as const);
const askedAt = 'iamdb.dev/reconcile-requested-at';

describe.skipIf(noLua)('Argo CD', () => {
  let lua: Lua;
  beforeAll(() => {
    lua = startLua();
  });
  afterAll(() => lua?.stop());

  const healthTests = both((kind) => (argoYAML(kind, 'health_test.yaml') as HealthTests).tests);
  it.each(told(healthTests, ({ inputPath }) => inputPath))('judges health: %s', async (_, kind, test) => {
    const object = argoYAML(kind, test.inputPath);
    expect(await lua.run(argoText(kind, 'health.lua'), object)).toEqual(test.healthStatus);
  });

  const actions = (kind: ArgoKind) => argoYAML(kind, 'actions/action_test.yaml') as ActionTests;
  it.each(
    told(
      both((kind) => actions(kind).discoveryTests),
      ({ inputPath }) => inputPath,
    ),
  )('offers actions: %s', async (_, kind, { inputPath, result }) => {
    const offered = await lua.run<Readonly<Record<string, { readonly disabled: boolean }>>>(
      argoText(kind, 'actions/discovery.lua'),
      argoYAML(kind, `actions/${inputPath}`),
    );
    const list = Object.entries(offered).map(([name, { disabled }]) => ({ name, disabled }));
    expect(list.toSorted((a, b) => a.name.localeCompare(b.name))).toEqual(result);
  });

  it.each(
    told(
      both((kind) => actions(kind).actionTests),
      ({ action, inputPath }) => `${action} ${inputPath}`,
    ),
  )('acts: %s', async (_, kind, { action, inputPath, expectedOutputPath }) => {
    const script = argoText(kind, `actions/${action}/action.lua`);
    const acted = await lua.run<Manifest>(script, argoYAML(kind, `actions/${inputPath}`));
    const text = JSON.stringify(acted).replaceAll(
      /\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z/g,
      '2027-01-31T00:00:00Z',
    );
    expect(JSON.parse(text)).toEqual(argoYAML(kind, `actions/${expectedOutputPath}`));
  });

  it('asks for a look by the time of now', async () => {
    const script = argoText('IamDatabase', 'actions/reconcile/action.lua');
    const acted = await lua.run<Manifest>(script, argoYAML('IamDatabase', 'actions/testdata/new.yaml'));
    const at = Date.parse(acted.metadata.annotations?.[askedAt] ?? '');
    expect(Math.abs(Date.now() - at)).toBeLessThan(60_000);
  });

  describe('shows what the operator reports', () => {
    const health = async (links: readonly Link[], { ageMs = 0 } = {}) => {
      const now = Date.parse('2027-01-31T12:00:00Z');
      // As the operator computes it now, and as it stood before.
      const time = (at: number) => ({ now: at, timeScale: 1 });
      const before: readonly Condition[] = ageMs === 0 ? [] : conditionsOf(links, 3, [], time(now - ageMs));
      const conditions = conditionsOf(links, 3, before, time(now));
      const object = { metadata: { generation: 3 }, spec: {}, status: { observedGeneration: 3, conditions } };
      return (await lua.run<Health>(argoText('IamDatabaseUser', 'health.lua'), object)).status;
    };
    const down = failed('RoleReady', new Failure('unavailable', 'DatabaseUnavailable', 'It is down.'));
    const refused = failed('Allowed', new Failure('invalid', 'NamespaceNotAllowed', 'No rule.'));
    const meant = (reason: 'Planned' | 'Suspended' | 'Expired'): Link => ({
      type: 'Ready',
      status: 'False',
      reason,
      message: reasons[reason].means,
      settled: true,
    });

    it.each<[string, readonly Link[], number, string]>([
      ['all that holds', [good('RoleReady', 'AsDeclared', '')], 0, 'Healthy'],
      [
        'an unproven login',
        [
          good('RoleReady', 'AsDeclared', ''),
          { type: 'AccessVerified', status: 'Unknown', reason: 'NotProven', message: '', optional: true },
        ],
        0,
        'Healthy',
      ],
      ['a link that waits', [waiting('RoleReady', 'Allowed')], 0, 'Progressing'],
      ['a database that is down', [down], 0, 'Progressing'],
      ['a database that is down for eleven minutes', [down], 660_000, 'Degraded'],
      ['what was refused', [refused], 0, 'Degraded'],
      ['a plan', [meant('Planned')], 0, 'Suspended'],
      ['a pause', [meant('Suspended')], 0, 'Suspended'],
      ['an end', [meant('Expired')], 0, 'Suspended'],
      ['an end that is not through', [{ ...meant('Expired'), settled: false }], 0, 'Progressing'],
    ])('%s', async (_, links, ageMs, status) => {
      expect(await health(links, { ageMs })).toBe(status);
    });
  });
});

it('both kinds are judged alike', () => {
  for (const file of [
    'health.lua',
    'actions/discovery.lua',
    ...argoActions.map((name) => `actions/${name}/action.lua`),
  ]) {
    expect(argoText('IamDatabase', file)).toBe(argoText('IamDatabaseUser', file));
  }
});

it('what is derived is fresh: node tools/render-gitops.ts', () => {
  expect(readFileSync(join(root, argoFile), 'utf8')).toBe(renderArgo());
});

it.skipIf(noHelm)('the base is the chart: node tools/render-gitops.ts', async () => {
  expect(readFileSync(join(root, baseFile), 'utf8')).toBe(await renderBase());
});

const noKustomize = spawnSync('kubectl', ['kustomize', '--help']).status !== 0;
if (noKustomize) console.error('tests of the Kustomize overlay are skipped: kubectl is not on the PATH');
it.skipIf(noKustomize || noHelm)('the overlay gives what the chart gives for the same values', async () => {
  const { stdout } = spawnSync('kubectl', ['kustomize', 'gitops/overlays/example'], {
    cwd: root,
    encoding: 'utf8',
  });
  const built = parseAllDocuments(stdout).map((document) => document.toJS() as Manifest);
  const names = (some: readonly Manifest[]) =>
    some.map(({ kind, metadata }) => `${kind} ${metadata.name}`).toSorted();
  expect(names(built)).toEqual(['Namespace iamdb-system', ...names(await helm.render())].toSorted());
  expect(stdout).toContain('- --operator-id=production');
  expect(stdout).toMatch(/image: 111122223333\.dkr\.ecr\.\S+\/iamdb-operator:0\.1\.0/);
  expect(stdout).toContain('eks.amazonaws.com/role-arn: arn:aws:iam::111122223333:role/iamdb-operator');
});

interface Ordered {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly annotations?: Readonly<Record<string, string>> };
  readonly spec: {
    readonly dependsOn?: readonly { readonly name: string }[];
    readonly ignoreDifferences?: unknown;
  };
}
const documents = (file: string) =>
  parseAllDocuments(readFileSync(join(root, file), 'utf8')).map((document) => document.toJS() as Ordered);

it('databases come before users, and no difference is ignored', () => {
  const applications = documents('gitops/argocd/application.yaml');
  const waves = applications.map(({ metadata }) =>
    Number(metadata.annotations?.['argocd.argoproj.io/sync-wave']),
  );
  expect(waves).toEqual([0, 1]);
  expect(applications.map(({ spec }) => spec.ignoreDifferences)).toEqual([undefined, undefined]);
  const kustomizations = documents('gitops/flux/kustomizations.yaml').filter(
    ({ kind }) => kind === 'Kustomization',
  );
  expect(kustomizations.map(({ metadata, spec }) => [metadata.name, spec.dependsOn])).toEqual([
    ['databases', undefined],
    ['payments-database-users', [{ name: 'databases' }]],
  ]);
});

it.skipIf(noHelm)('the values of the HelmRelease are ones that the chart takes', async () => {
  const release = documents('gitops/flux/kustomizations.yaml').find(({ kind }) => kind === 'HelmRelease');
  const { values } = parse(JSON.stringify(release?.spec)) as {
    readonly values: Readonly<Record<string, unknown>>;
  };
  expect((await helm.render(values)).length).toBeGreaterThan(10);
});
