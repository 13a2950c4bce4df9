// What a page names in backticks exists: conditions, reasons, fields, chart values, settings, metrics, rights, scripts, files.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { actions, arguments_, fields, marks, metrics, scripts, words } from './known.ts';
import { pages, root } from './pages.ts';

/** Words with a capital that others define. */
const foreign = new Set(
  'ConfigMap Secret ServiceAccount Namespace Lease Role ClusterRole Deployment Service PodDisruptionBudget ValidatingAdmissionPolicy CustomResourceDefinition ServiceMonitor PodMonitor PrometheusRule NetworkPolicy AppProject Application Kustomization HelmRelease OCIRepository TokenRequest Progressing Suspended Degraded Healthy Missing Terminating MasterUsername LimitExceeded'.split(
    ' ',
  ),
);
/** Fields, arguments and actions of others. */
const alsoFine = new Set([
  '--set',
  '--enable-iam-database-authentication',
  'Dockerfile',
  'jdbcUrl',
  'configs.cm',
  '--set-string',
  '--values',
  '--wait',
  '--dry-run=server',
  '--once',
  '--list',
  '--plan',
  '--platform',
  '--target-role-arn',
  'metadata.name',
  'metadata.annotations',
  'dependsOn',
  'envFrom',
  'ignoreDifferences',
  'targetRoleArn',
  'secretsmanager:GetSecretValue',
  'kms:Decrypt',
  'rds:DescribeDBProxies',
  'rds:DescribeDBProxyTargets',
  'rds:DescribeBlueGreenDeployments',
  'iam:PolicyARN',
]);
/** These pages speak of the code and of decisions, in the words of their time. */
const aboutCode = /^docs\/(architecture\.md|adr\/)|^(AGENTS|CHANGELOG)\.md$/;

const isField = (name: string) =>
  fields.some((field) => field === name || field.endsWith(`.${name}`) || field.endsWith(`.${name}[]`));

/** Undefined for a name that is known, or that says nothing we could look up. */
export function complaint(name: string): string | undefined {
  const known = (is: boolean, what: string) => (is ? undefined : `${what}: ${name}`);
  if (alsoFine.has(name)) return undefined;
  if (/^--[a-z]/.test(name)) {
    const argument = name.split(/[= ]/)[0] ?? '';
    return known(arguments_.has(argument), 'no setting');
  }
  const pair = /^([A-Z][A-Za-z]+)([=/ ])([A-Z][A-Za-z]+)$/.exec(name);
  if (pair !== null) return complaint(pair[1] ?? '') ?? complaint(pair[3] ?? '');
  if (/^[A-Z][a-z]+[A-Za-z]*$/.test(name))
    return known(words.has(name) || foreign.has(name), 'no condition, reason or value');
  if (
    /^(iamdb_(?!admin|owner)|workqueue_|controller_runtime_|leader_election_|rest_client_)[a-z_]+$/.test(name)
  ) {
    return known(metrics.has(name), 'no metric');
  }
  if (name.startsWith('iamdb.dev/'))
    return known(marks.has(name.split('=')[0] ?? ''), 'no annotation, label or version');
  if (/^(iam|rds|rds-db|sts|secretsmanager|eks|kms):[A-Za-z]+$/.test(name))
    return known(actions.has(name), 'no right of the operator');
  const script = /^npm run ([a-z:]+)/.exec(name);
  if (script !== null) return known(scripts.has(script[1] ?? ''), 'no script');
  if (/^(src|docs|test|charts|examples|gitops|tools|crds|\.github)\/[\w./-]*$/.test(name)) {
    return known(existsSync(join(root, name)), 'no file');
  }
  if (/^[a-z]+[A-Za-z]*(\[\])?(\.[A-Za-z]+(\[\])?)+$/.test(name) || /^[a-z]+[A-Z][A-Za-z]*$/.test(name)) {
    if (/\.(md|ts|json|yaml|yml|lua|pem|sh|crt|com|dev)$/.test(name)) return undefined;
    return known(isField(name), 'no field or chart value');
  }
  return undefined;
}

describe('a page of the documentation', () => {
  const told = pages.filter(({ path, generated }) => !generated && !aboutCode.test(path));

  it.each(told.map((page) => [page.path, page] as const))('names only what exists: %s', (_, page) => {
    const wrong = page.names.flatMap(({ line, text }) => {
      const found = complaint(text);
      return found === undefined ? [] : [`line ${line}: ${found}`];
    });
    expect(wrong).toEqual([]);
  });

  it.each([
    'Sorted',
    'Ready=Maybe',
    '--operator-ids',
    'spec.targets',
    'connectDatabase',
    'iamdb_sorrows_total',
    'iamdb.dev/reconcile',
    'iam:CreateRole',
    'npm run dmeo',
    'docs/nowhere.md',
    'serviceAccount.anotations',
  ])('would be told of %s', (name) => {
    expect(complaint(name)).toBeDefined();
  });
});
