// What people who run the operator see of it: metrics as they are documented, health that tells who leads, and profiles.
import { X509Certificate } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { catalogue, type MetricName } from '../../src/ops/catalogue.ts';
import { version } from '../../src/version.ts';
import { freePorts } from '../bed/ports.ts';
import { type Sample, samplesIn } from '../stage/exposition.ts';
import { accountID } from '../stage/account.ts';
import { quickSettings, type Scene, sceneOf, userManifest } from '../stage/scene.ts';
import { type Stage, startStage } from '../stage/stage.ts';
import { until } from '../stage/wait.ts';

let stage: Stage;
let scene: Scene;
let base: string;
let profiles: string;
const user = userManifest();
const stranger = userManifest('stranger', { memberOf: ['rds_superuser'] });
const roleless = userManifest('roleless', {
  principals: [{ roleARN: `arn:aws:iam::${accountID}:role/payments-gone` }],
});

beforeAll(async () => {
  const [port = 0, profilingPort = 0] = await freePorts(2);
  base = `http://127.0.0.1:${port}`;
  profiles = `http://127.0.0.1:${profilingPort}`;
  stage = await startStage({
    settings: {
      ...quickSettings,
      'listen-address': `127.0.0.1:${port}`,
      'profiling-port': String(profilingPort),
    },
  });
  scene = sceneOf(stage);
  await stage.operator.start();
  await scene.apply(stage.iamDatabase());
  await scene.apply(user);
  await scene.apply(stranger);
  await scene.apply(roleless);
  await scene.untilCondition(user, 'AccessVerified', 'True', 'Verified');
  await scene.untilReady(user);
  await scene.untilCondition(stranger, 'Allowed', 'False', 'GroupNotAllowed');
  await scene.untilCondition(roleless, 'PolicyReady', 'False', 'RoleNotFound');
});
afterAll(() => stage.stop());

const scrape = async (): Promise<readonly Sample[]> => {
  const answer = await fetch(`${base}/metrics`);
  expect(answer.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
  return samplesIn(await answer.text());
};
const endOf = (pem: string) => new X509Certificate(pem).validToDate.getTime();
const valueOf = (samples: readonly Sample[], name: MetricName, labels: Readonly<Record<string, string>>) =>
  samples.find(
    (sample) =>
      sample.name === name &&
      Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
  )?.value;

describe('a scrape of an operator that has done its work', () => {
  it('finds every metric of the catalogue, with exactly its labels', async () => {
    const shown = async () =>
      new Map(
        (await scrape()).map(({ name, labels }) => [
          name.replace(/_(bucket|sum|count)$/, ''),
          Object.keys(labels),
        ]),
      );
    const missing = async () => {
      const there = await shown();
      return Object.keys(catalogue).filter((name) => !there.has(name));
    };
    // Some come by themselves a moment later, as the quotas.
    await until('every metric', async () => (await missing()).length === 0, { seen: missing });
    const found = await shown();
    const labelsOf = (name: string) => (found.get(name) ?? []).filter((label) => label !== 'le').toSorted();
    expect(Object.keys(catalogue).map((name) => [name, labelsOf(name)])).toEqual(
      Object.entries<{ readonly labels: readonly string[] }>(catalogue).map(([name, { labels }]) => [
        name,
        labels.toSorted(),
      ]),
    );
  });

  it('reads how the objects fare', async () => {
    const samples = await scrape();
    const conditions = (labels: Readonly<Record<string, string>>) =>
      valueOf(samples, 'iamdb_conditions', { kind: 'IamDatabaseUser', ...labels });
    expect(valueOf(samples, 'iamdb_objects', { kind: 'IamDatabaseUser' })).toBe(3);
    expect(valueOf(samples, 'iamdb_objects', { kind: 'IamDatabase' })).toBe(1);
    expect(conditions({ type: 'Ready', status: 'True', reason: 'Ready' })).toBe(1);
    expect(conditions({ type: 'Ready', status: 'False', reason: 'GroupNotAllowed' })).toBe(1);
    expect(conditions({ type: 'AccessVerified', status: 'True', reason: 'Verified' })).toBe(1);
  });

  it('reads what it did and what it holds', async () => {
    const isConnected = async () =>
      (valueOf(await scrape(), 'iamdb_connections_open', { to: 'postgresql' }) ?? 0) > 0;
    // The admin's sessions are closed when nobody needs them.
    await until('a session of the admin', async () => {
      await scene.lookAgain(user);
      return await isConnected();
    });
    const samples = await scrape();
    const is = (name: MetricName, labels: Readonly<Record<string, string>> = {}) =>
      valueOf(samples, name, labels) ?? 0;
    expect(is('iamdb_build_info', { version })).toBe(1);
    expect(is('leader_election_master_status', { name: 'iamdb-operator' })).toBe(1);
    expect(is('iamdb_probes_total', { result: 'Verified' })).toBeGreaterThanOrEqual(1);
    expect(is('iamdb_aws_calls_total', { service: 'iam', operation: 'CreatePolicy', outcome: 'ok' })).toBe(1);
    expect(
      is('iamdb_aws_calls_total', { service: 'sts', operation: 'AssumeRole', outcome: 'ok' }),
    ).toBeGreaterThanOrEqual(1);
    expect(is('iamdb_sql_round_trips_total', { kind: 'write', outcome: 'ok' })).toBeGreaterThanOrEqual(1);
    expect(is('iamdb_sql_statements_total', { kind: 'write' })).toBeGreaterThanOrEqual(
      is('iamdb_sql_round_trips_total', { kind: 'write', outcome: 'ok' }),
    );
    // One for each kind that is watched, at least.
    expect(is('iamdb_connections_open', { to: 'apiserver' })).toBeGreaterThanOrEqual(5);
    expect(is('iamdb_iam_quota_limit', { account: 'own', quota: 'policies' })).toBe(
      stage.aws.limits.policies,
    );
    expect(is('iamdb_iam_quota_used', { account: 'own', quota: 'policies' })).toBeGreaterThanOrEqual(0);
    expect(is('rest_client_requests_total', { code: '200', method: 'PATCH' })).toBeGreaterThanOrEqual(1);
    expect(is('iamdb_ca_earliest_expiry_timestamp_seconds', { region: stage.aws.region })).toBe(
      Math.min(...stage.bed.trust.current.roots.map(endOf)) / 1000,
    );
  });

  it('names no object, user or role', async () => {
    const text = await (await fetch(`${base}/metrics`)).text();
    for (const secret of ['checkout', 'payments', 'orders', 'arn:aws']) expect(text).not.toContain(secret);
  });
});

describe('health', () => {
  it('says that it lives and is ready, and who leads', async () => {
    const health = async (path: string) => {
      const answer = await fetch(`${base}${path}`);
      return [answer.status, await answer.text()];
    };
    expect(await health('/healthz')).toEqual([200, 'ok\n']);
    expect(await health('/readyz')).toEqual([200, 'ok, leader\n']);
    expect(await health('/debug/cpu')).toEqual([404, 'not found\n']);
  });
});

describe('profiles', () => {
  it('tell where time goes and who allocates, and hold no value', async () => {
    const cpu = (await (await fetch(`${profiles}/debug/cpu?seconds=0.2`)).json()) as {
      readonly nodes: unknown;
    };
    expect(cpu.nodes).toBeInstanceOf(Array);
    const heap = (await (await fetch(`${profiles}/debug/heap?seconds=0.2`)).json()) as {
      readonly head: { readonly callFrame: unknown };
    };
    expect(heap.head.callFrame).toBeDefined();
  });

  it.each([
    ['/debug/cpu?seconds=nan', 400],
    ['/debug/cpu?seconds=3000', 400],
    ['/debug/constructor', 404],
    ['/', 404],
  ])('refuse %s with %s', async (path, status) => {
    expect((await fetch(`${profiles}${path}`)).status).toBe(status);
  });
});
