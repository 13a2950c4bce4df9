// The operator's settings as values of the chart, where the settings table says.
import { type Config, settings } from '../../src/config.ts';
import { chartValues, isGroup, type JsonSchema, type Leaf, leaf, type Values } from './chart-values.ts';

interface Setting {
  readonly type: 'string' | 'integer' | 'number' | 'boolean';
  readonly default: string | number | boolean;
  readonly sentence: string;
  readonly least?: number;
  readonly form?: { readonly pattern: RegExp };
  readonly helm: string | null;
}

/** Where a pod allows less than a process. */
const inPods: { readonly [K in keyof Config]?: { readonly sentence: string; readonly schema: JsonSchema } } =
  {
    'listen-address': {
      sentence:
        'Address of health and metrics: :port, 0.0.0.0:port or [::]:port, as the probes come from outside the pod.',
      schema: { pattern: String.raw`^(0\.0\.0\.0|\[::\])?:[1-9][0-9]{0,4}$` },
    },
    'watch-namespaces': {
      sentence:
        'Namespaces, with commas, whose IamDatabaseUsers are served; they have to exist, and get a Role each instead of one for the cluster. Needs operatorID. What was made for users of other namespaces is left as it is. Default: all.',
      schema: {},
    },
    'prove-with-service-accounts-in': {
      sentence:
        'Namespaces, with commas, in which logins are proven by tokens of the ServiceAccounts in principals; they have to exist, and get a Role that lets the operator ask for such tokens.',
      schema: {},
    },
  };

export interface SettingValue {
  readonly argument: string;
  readonly path: readonly string[];
  readonly type: Setting['type'];
}

/** The settings that have a value; the rest is decided by the chart. */
export const settingValues: readonly SettingValue[] = Object.entries<Setting>(settings).flatMap(
  ([argument, { helm, type }]) => (helm === null ? [] : [{ argument, path: helm.split('.'), type }]),
);

/** All of them, the operator's settings after what they run in. */
export const values: Values = settingValues.reduce<Values>(
  (tree, { argument, path }) => insert(tree, path, settingLeaf(argument as keyof Config)),
  chartValues,
);

function settingLeaf(argument: keyof Config): Leaf {
  const { type, default: fallback, sentence, least = 0, form }: Setting = settings[argument];
  const isNumber = type === 'integer' || type === 'number';
  return leaf(inPods[argument]?.sentence ?? sentence, fallback, {
    type,
    ...(isNumber ? { minimum: least } : {}),
    ...(form === undefined ? {} : { pattern: orDefault(form.pattern, String(fallback)) }),
    ...inPods[argument]?.schema,
  });
}

function orDefault(pattern: RegExp, fallback: string): string {
  return pattern.test(fallback) ? pattern.source : `^${fallback}$|${pattern.source}`;
}

function insert(tree: Values, [name = '', ...rest]: readonly string[], value: Leaf): Values {
  const there = tree[name];
  if (rest.length === 0) {
    if (there !== undefined) throw new Error(`two values are named ${name}`);
    return { ...tree, [name]: value };
  }
  if (there !== undefined && !isGroup(there)) throw new Error(`${name} is a value and cannot hold others`);
  return { ...tree, [name]: { ...there, below: insert(there?.below ?? {}, rest, value) } };
}
