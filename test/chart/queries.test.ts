// Every query of the alerts and of the dashboard names only metrics and labels that the operator has, and values that they can have.
import { describe, expect, it } from 'vitest';
import { conditionTypes, reasons } from '../../src/api/conditions.ts';
import { type MetricName, catalogue } from '../../src/ops/catalogue.ts';
import { createMetrics } from '../../src/ops/metrics.ts';
import { alerts } from '../../tools/generate/alerts.ts';
import { dashboardFiles, rows } from '../../tools/generate/dashboard.ts';
import { helm, manifestOf, noHelm } from './helm.ts';

/** What a scrape adds. */
const ofTheScrape = ['namespace', 'pod', 'job', 'le'];
/** Such as process_resident_memory_bytes. */
const defaults = new Set((await createMetrics().text()).match(/^(?:process|nodejs)_\w+/gm));

const words = new Set(
  'sum by on and or unless min max count rate increase absent time histogram_quantile min_over_time vector offset bool without ignoring group_left group_right'.split(
    ' ',
  ),
);

/** What is wrong with the names in a query; nothing, where all of them exist. */
function wrongIn(expr: string): readonly string[] {
  const wrong: string[] = [];
  const named: string[] = [];
  const plain = expr.replaceAll(/"(?:[^"\\]|\\.)*"/g, (text) => text.replaceAll(/[{}(),]/g, ' '));
  for (const [, name = '', selector] of plain.matchAll(/([a-zA-Z_]\w*)\s*(?:\{([^}]*)\})?/g)) {
    // Neither a label in a list, nor a word of a text or a matcher.
    if (words.has(name) || !/^(?:iamdb|controller|workqueue|rest|leader|process|nodejs)_/.test(name))
      continue;
    if (!isOutsideOfTexts(plain, name)) continue;
    named.push(name);
    const labels = labelsOf(name);
    if (labels === undefined) wrong.push(`there is no ${name}`);
    for (const [, label = '', text = ''] of (selector ?? '').matchAll(
      /(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"/g,
    )) {
      if (labels?.includes(label) === false) wrong.push(`${name} has no label ${label}`);
      wrong.push(...wrongValues(label, text));
    }
  }
  if (named.length === 0) wrong.push('it names no metric');
  const known = new Set(named.flatMap((name) => labelsOf(name) ?? []));
  for (const [, list = ''] of plain.matchAll(/\b(?:by|on)\s*\(([^)]*)\)/g)) {
    for (const label of list.split(',').map((one) => one.trim())) {
      if (!known.has(label)) wrong.push(`none of ${named.join(', ')} has a label ${label}`);
    }
  }
  return wrong;
}

const isOutsideOfTexts = (expr: string, name: string) => expr.replaceAll(/"[^"]*"/g, '').includes(name);

function labelsOf(name: string): readonly string[] | undefined {
  const own = name.replace(/_(?:bucket|sum|count)$/, '');
  if (defaults.has(name)) return ofTheScrape;
  if (!Object.hasOwn(catalogue, own)) return undefined;
  const { labels, type } = catalogue[own as MetricName];
  // The parts of a histogram, and only of one.
  return (own !== name) === (type === 'histogram') ? [...labels, ...ofTheScrape] : undefined;
}

const values: Readonly<Record<string, readonly string[]>> = {
  reason: Object.keys(reasons),
  type: Object.keys(conditionTypes),
  kind: ['IamDatabase', 'IamDatabaseUser'],
  status: ['True', 'False', 'Unknown'],
};
const wrongValues = (label: string, text: string): readonly string[] =>
  text
    .split('|')
    .filter((value) => values[label]?.includes(value) === false)
    .map((value) => `there is no ${label} ${value}`);

describe('a query', () => {
  it.each(Object.entries(alerts).map(([name, { expr }]) => [name, expr] as const))(
    'of alert %s names what exists',
    (_, expr) => expect(wrongIn(expr)).toEqual([]),
  );

  const panels = Object.values(rows).flat();
  it.each(panels.flatMap(({ title, queries }) => queries.map(({ expr }) => [title, expr] as const)))(
    'of panel %s names what exists: %s',
    (_, expr) => expect(wrongIn(expr)).toEqual([]),
  );

  it.each([
    ['iamdb_condition{kind="IamDatabase"}', 'there is no iamdb_condition'],
    ['iamdb_conditions{knid="IamDatabase"}', 'iamdb_conditions has no label knid'],
    ['iamdb_conditions{reason=~"Planned|Explode"}', 'there is no reason Explode'],
    ['sum by (reasn) (iamdb_conditions)', 'none of iamdb_conditions has a label reasn'],
    ['rate(iamdb_aws_call_duration_seconds[5m])', 'there is no iamdb_aws_call_duration_seconds'],
    ['rate(workqueue_depth_bucket[5m])', 'there is no workqueue_depth_bucket'],
    ['time() > 3', 'it names no metric'],
  ])('that is wrong would be seen: %s', (expr, why) => expect(wrongIn(expr)).toContain(why));

  it('is drawn for every metric that the operator has, but for one that another says better', () => {
    const all = panels.flatMap(({ queries }) => queries.map(({ expr }) => expr)).join('\n');
    const missing = Object.keys(catalogue).filter(
      (name) => !new RegExp(String.raw`\b${name}(_bucket)?\b`).test(all),
    );
    expect(missing).toEqual([
      'controller_runtime_reconcile_errors_total',
      'workqueue_work_duration_seconds',
      'workqueue_unfinished_work_seconds',
      'rest_client_request_duration_seconds',
    ]);
  });

  it('has a legend of labels that it keeps', () => {
    const without = panels.flatMap(({ queries }) =>
      queries.flatMap(({ expr, legend }) =>
        [...legend.matchAll(/\{\{(\w+)\}\}/g)].flatMap(([, label = '']) =>
          label === 'pod' || new RegExp(String.raw`by \([^)]*\b${label}\b`).test(expr)
            ? []
            : [`${label}: ${expr}`],
        ),
      ),
    );
    expect(without).toEqual([]);
  });
});

describe.skipIf(noHelm)('the dashboard', () => {
  it('comes in a ConfigMap, as it stands in the repository', async () => {
    const manifests = await helm.render({ grafanaDashboard: { enabled: true } });
    const { metadata, data } = manifestOf(manifests, 'ConfigMap') as unknown as {
      readonly metadata: { readonly labels: Readonly<Record<string, string>> };
      readonly data: Readonly<Record<string, string>>;
    };
    expect(metadata.labels['grafana_dashboard']).toBe('1');
    expect(Object.values(data)).toEqual(Object.values(dashboardFiles()));
  });
});
