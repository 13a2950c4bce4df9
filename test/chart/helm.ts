// The chart as Helm sees it: rendered, linted, installed.
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { findHelm } from './find-helm.ts';

export const chartFolder = resolve(import.meta.dirname, '../../charts/iamdb-operator');
export const releaseNamespace = 'iamdb-system';

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly [field: string]: unknown;
}

export type ChartValues = Readonly<Record<string, unknown>>;

export interface Helm {
  /** Throws with what Helm says when it refuses. */
  run(
    args: readonly string[],
    options?: { readonly values?: ChartValues; readonly kubeconfig?: string },
  ): Promise<string>;
  /** The manifests of a release named iamdb-operator. */
  render(values?: ChartValues, chart?: string): Promise<readonly Manifest[]>;
}

const found = await findHelm((text) => console.error(text));
if ('missing' in found) console.error(`tests of the chart are skipped: ${found.missing}`);
/** Where this is so, the tests that need Helm are skipped. */
export const noHelm = 'missing' in found;

/** Keeps nothing of the user's own Helm, and leaves nothing there. */
export const helm: Helm = {
  run: async (args, options = {}) => {
    if ('missing' in found) throw new Error(found.missing);
    const home = mkdtempSync(join(tmpdir(), 'iamdb-helm-'));
    try {
      return await execute(found.path, args, home, options);
    } finally {
      rmSync(home, { recursive: true, force: true });
    }
  },
  render: async (values = {}, chart = chartFolder) => {
    const release = ['template', 'iamdb-operator', chart, '--namespace', releaseNamespace];
    const text = await helm.run([...release, '--kube-version', '1.36.3'], { values });
    return parseAllDocuments(text).flatMap((document) => {
      if (document.errors.length > 0) throw new Error(String(document.errors[0]));
      const manifest = document.toJS() as Manifest | null;
      return manifest === null ? [] : [manifest];
    });
  },
};

async function execute(
  path: string,
  args: readonly string[],
  home: string,
  { values, kubeconfig = '/dev/null' }: { readonly values?: ChartValues; readonly kubeconfig?: string },
): Promise<string> {
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: home,
    HELM_CACHE_HOME: home,
    HELM_CONFIG_HOME: home,
    HELM_DATA_HOME: home,
    KUBECONFIG: kubeconfig,
  };
  const withValues = values === undefined ? args : [...args, '--values', '-'];
  return await new Promise((done, failed) => {
    const child = execFile(
      path,
      withValues,
      { env, timeout: 120_000, maxBuffer: 16 * 1_048_576 },
      (error, stdout, stderr) => {
        if (error === null) done(stdout);
        else failed(new Error(stderr === '' ? error.message : stderr));
      },
    );
    // JSON is YAML.
    child.stdin?.end(values === undefined ? '' : JSON.stringify(values));
  });
}

export function manifestOf(manifests: readonly Manifest[], kind: string): Manifest {
  const some = manifests.filter((manifest) => manifest.kind === kind);
  const [first] = some;
  if (first === undefined || some.length > 1) throw new Error(`${some.length} manifests of kind ${kind}`);
  return first;
}

export interface PodTemplate {
  readonly metadata: object;
  readonly spec: {
    readonly topologySpreadConstraints?: readonly object[];
    readonly containers: readonly { readonly image: string; readonly args: readonly string[] }[];
  };
}

export function podOf(manifests: readonly Manifest[]): PodTemplate {
  return (manifestOf(manifests, 'Deployment')['spec'] as { readonly template: PodTemplate }).template;
}

export const argumentsOf = (manifests: readonly Manifest[]): readonly string[] =>
  podOf(manifests).spec.containers[0]?.args ?? [];
