// What a platform engineer may write into the values, and what becomes of it.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { readConfig, settings } from '../../src/config.ts';
import { isGroup, type Values } from '../../tools/generate/chart-values.ts';
import { settingValues, values } from '../../tools/generate/chart-settings.ts';
import {
  argumentsOf,
  type ChartValues,
  chartFolder,
  helm,
  type Manifest,
  manifestOf,
  noHelm,
  podOf,
} from './helm.ts';
import { nested, samples } from './samples.ts';

const paths = (tree: Values, prefix = ''): readonly string[] =>
  Object.entries(tree).flatMap(([name, entry]) =>
    isGroup(entry) ? paths(entry.below, `${prefix}${name}.`) : [`${prefix}${name}`],
  );
const environment = { POD_NAMESPACE: 'iamdb-system' };

describe.skipIf(noHelm)('the chart', () => {
  it('passes the strict lint', async () => {
    expect(await helm.run(['lint', '--strict', chartFolder])).toContain('0 chart(s) failed');
  });

  it('has the version of the package', () => {
    const { version } = JSON.parse(
      readFileSync(resolve(import.meta.dirname, '../../package.json'), 'utf8'),
    ) as {
      readonly version: string;
    };
    const chart = parse(readFileSync(join(chartFolder, 'Chart.yaml'), 'utf8')) as Readonly<
      Record<string, string>
    >;
    expect(chart['version']).toBe(version);
    expect(chart['appVersion']).toBe(version);
  });

  it('is whole in its package', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'iamdb-package-'));
    try {
      await helm.run(['package', chartFolder, '--destination', folder]);
      const packed = await helm.render({}, join(folder, readdirSync(folder)[0] ?? ''));
      expect(packed).toEqual(await helm.render());
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe.skipIf(noHelm)('a value', () => {
  // What is off by default is on here, so that what belongs to it shows.
  const base = nested({
    'serviceMonitor.enabled': true,
    'podMonitor.enabled': true,
    'prometheusRule.enabled': true,
    'grafanaDashboard.enabled': true,
    'networkPolicy.enabled': true,
    'image.tag': '1.0.0',
  });
  const off = new Set([
    'serviceMonitor.enabled',
    'podMonitor.enabled',
    'prometheusRule.enabled',
    'grafanaDashboard.enabled',
    'networkPolicy.enabled',
  ]);
  // An election that is off forbids a second replica, and a monitor needs its Service.
  const company: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
    'leaderElection.enabled': { replicas: 1 },
    'service.enabled': { 'serviceMonitor.enabled': false },
    watchNamespaces: { operatorID: 'production' },
  };

  it('has a sample for each', () => {
    expect(Object.keys(samples).toSorted()).toEqual(paths(values).toSorted());
  });

  it('does something, each of them', async () => {
    const rendered = async (some: ChartValues) => JSON.stringify(await helm.render(some));
    const untouched = rendered(base);
    const without: string[] = [];
    for (const path of paths(values)) {
      const own = off.has(path) ? {} : base;
      const extra = company[path];
      const before = own === base && extra === undefined ? untouched : rendered(nested({ ...extra }, own));
      const after = rendered(nested({ ...extra, [path]: samples[path] }, own));
      if ((await before) === (await after)) without.push(path);
    }
    expect(without).toEqual([]);
  });

  it.each([
    ['replica', { replica: 3 }],
    ['anotations', { serviceAccount: { anotations: {} } }],
    ['pool', { postgres: { pool: 3 } }],
    ['request', { resources: { request: { cpu: '1' } } }],
  ])('that is mistyped is refused by its name: %s', async (name, wrong) => {
    await expect(helm.render(wrong)).rejects.toThrow(
      new RegExp(`additional propert[^\\n]*\\b${name}\\b`, 'i'),
    );
  });

  it.each([
    ['workers', { workers: 0 }],
    ['workers', { workers: 'many' }],
    ['logLevel', { logLevel: 'loud' }],
    ['operatorID', { operatorID: 'Not_A_Label' }],
    ['listenAddress', { listenAddress: '127.0.0.1:8080' }],
    ['listenAddress', { listenAddress: '' }],
    ['url', { trustStore: { url: 'ftp://mirror' } }],
    ['digest', { image: { digest: 'latest' } }],
    ['replicas', { leaderElection: { enabled: false } }],
    ['operatorID', { watchNamespaces: 'payments' }],
    ['service.enabled', nested({ 'serviceMonitor.enabled': true, 'service.enabled': false })],
  ])('that cannot work is refused by its name: %s', async (name, wrong) => {
    await expect(helm.render(wrong)).rejects.toThrow(name);
  });
});

describe.skipIf(noHelm)("an operator's setting", () => {
  const inChart = settingValues.map(({ argument, path }) => [argument, path.join('.')] as const);

  it('has a value in the chart, except where the chart itself decides', () => {
    const decided = Object.keys(settings).filter((name) => !inChart.some(([argument]) => argument === name));
    expect(decided).toEqual(['namespace']);
  });

  it('is what the operator has by itself, unless a value says otherwise', async () => {
    const args = argumentsOf(await helm.render());
    expect(readConfig(args, environment)).toEqual(readConfig([], environment));
  });

  it('is what its value says', async () => {
    const wanted = Object.fromEntries(inChart.map(([, path]) => [path, samples[path]]));
    const manifests = await helm.render(nested({ ...wanted, replicas: 1 }));
    const config: Readonly<Record<string, unknown>> = { ...readConfig(argumentsOf(manifests), environment) };
    for (const [argument, path] of inChart)
      expect([argument, config[argument]]).toEqual([argument, samples[path]]);
  });

  it('is overruled by extraArgs', async () => {
    const args = argumentsOf(await helm.render({ logLevel: 'warn', extraArgs: ['--log-level=debug'] }));
    expect(readConfig(args, environment)['log-level']).toBe('debug');
  });
});

const ports = (manifests: readonly Manifest[]) => [
  JSON.stringify(podOf(manifests)).match(/"containerPort":(\d+)/)?.[1],
  JSON.stringify(manifestOf(manifests, 'Service')).match(/"port":(\d+)/)?.[1],
];

describe.skipIf(noHelm)('what is rendered', () => {
  it('takes a digest before a tag, and else the version of the chart', async () => {
    const image = async (some: Readonly<Record<string, string>>) =>
      podOf(await helm.render({ image: { repository: 'r/op', ...some } })).spec.containers[0]?.image;
    const digest = `sha256:${'a'.repeat(64)}`;
    expect(await image({})).toBe('r/op:0.1.0');
    expect(await image({ tag: '2' })).toBe('r/op:2');
    expect(await image({ tag: '2', digest })).toBe(`r/op@${digest}`);
  });

  it('listens, is probed and is served at one port', async () => {
    expect(ports(await helm.render({ listenAddress: '[::]:9090' }))).toEqual(['9090', '9090']);
    expect(ports(await helm.render())).toEqual(['8080', '8080']);
  });

  it('spreads its pods, by the selector of whoever wrote one', async () => {
    const spread = async (some: ChartValues) => podOf(await helm.render(some)).spec.topologySpreadConstraints;
    const own = { maxSkew: 1, topologyKey: 'rack', whenUnsatisfiable: 'DoNotSchedule' };
    const labelSelector = { matchLabels: { app: 'other' } };
    expect(await spread({ topologySpreadConstraints: [{ ...own, labelSelector }, own] })).toEqual([
      { ...own, labelSelector },
      {
        ...own,
        labelSelector: {
          matchLabels: {
            'app.kubernetes.io/name': 'iamdb-operator',
            'app.kubernetes.io/instance': 'iamdb-operator',
          },
        },
      },
    ]);
  });

  it('with watchNamespaces has rights in the cluster on IamDatabases, namespaces and the Leases of its own name, the rest by Roles', async () => {
    const manifests = await helm.render({ watchNamespaces: 'payments,shop', operatorID: 'production' });
    const rulesOf = ({ rules }: Manifest) =>
      (rules as readonly { readonly resources: readonly string[] }[]).flatMap(({ resources }) => resources);
    const named = (kind: string) => manifests.filter((manifest) => manifest.kind === kind);
    const own = named('ClusterRole').find(({ metadata }) => metadata.name === 'iamdb-operator');
    expect(own && rulesOf(own)).toEqual(['iamdatabases', 'iamdatabases/status', 'namespaces', 'leases']);
    expect((own?.['rules'] as readonly object[] | undefined)?.at(-1)).toEqual({
      apiGroups: ['coordination.k8s.io'],
      resources: ['leases'],
      verbs: ['list'],
      resourceNames: ['iamdb-operator-production'],
    });
    const places = ({ metadata }: Manifest) => `${metadata.namespace} ${metadata.name}`;
    expect(named('Role').map(places).toSorted()).toEqual([
      'default iamdb-operator-event',
      'iamdb-system iamdb-operator',
      'iamdb-system iamdb-operator-copy',
      'payments iamdb-operator-watched',
      'shop iamdb-operator-watched',
    ]);
    expect(named('RoleBinding').map(places).toSorted()).toEqual(named('Role').map(places).toSorted());
  });

  it('lets people do with users, and with nothing else, what they may do with a namespace', async () => {
    const aggregated = (await helm.render()).filter((manifest) =>
      /-(view|edit)$/.test(manifest.metadata.name),
    );
    expect(aggregated.map(({ metadata, rules }) => [metadata.name, rules])).toEqual([
      ['iamdb-operator-view', [usersOnly(['get', 'list', 'watch'])]],
      ['iamdb-operator-edit', [usersOnly(['create', 'update', 'patch', 'delete', 'deletecollection'])]],
    ]);
  });

  it('has a role to read the databases with, which nobody has until it is bound', async () => {
    const rendered = await helm.render();
    const viewer = rendered.find(({ metadata }) => metadata.name === 'iamdb-operator-database-viewer');
    expect(viewer?.['rules']).toEqual([
      { apiGroups: ['iamdb.dev'], resources: ['iamdatabases'], verbs: ['get', 'list', 'watch'] },
    ]);
    expect(Object.keys(viewer?.metadata.labels ?? {}).filter((name) => name.includes('aggregate'))).toEqual(
      [],
    );
    const bound = rendered.map(({ roleRef }) => (roleRef as { readonly name: string } | undefined)?.name);
    expect(bound).toContain('iamdb-operator');
    expect(bound).not.toContain(viewer?.metadata.name);
  });
});

const usersOnly = (verbs: readonly string[]) => ({
  apiGroups: ['iamdb.dev'],
  resources: ['iamdatabaseusers'],
  verbs,
});
