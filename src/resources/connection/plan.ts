// Decides what becomes of the ConfigMap that tells one user's applications how to connect.
import { annotations, apiVersion, group, labels, managedByValue } from '../../api/names.ts';
import type { Plan } from '../../kernel/converge.ts';
import { Failure } from '../../kernel/failure.ts';
import {
  type ConfigMapChange,
  type KeptConfigMap,
  type NewConfigMap,
  type OwnerReference,
  sameEntries,
} from '../../kernel/config-map.ts';

interface ConnectionIdentity {
  readonly namespace: string;
  readonly name: string;
  readonly operatorID: string;
  /** What the ConfigMap is; connection unless told. */
  readonly kind?: DocumentKind;
  /** The IamDatabaseUser that it belongs to, in the same namespace. */
  readonly owner: { readonly name: string; readonly uid: string };
}

export type DesiredConnection =
  | (ConnectionIdentity & { readonly ensure: 'present'; readonly data: Readonly<Record<string, string>> })
  /** released: stays, as it is or with other data, without an owner whose end would take it along. */
  | (ConnectionIdentity & {
      readonly ensure: 'absent' | 'released';
      readonly data?: Readonly<Record<string, string>>;
    });

export interface ObservedConnection {
  readonly configMap: KeptConfigMap | undefined;
}

export type ConnectionChange = ConfigMapChange;

export const connectionKind = 'connection';
export type DocumentKind = typeof policyKind | typeof roleScriptKind;
export const policyKind = 'policy';
export const roleScriptKind = 'sql';

const kindOf = ({ kind }: ConnectionIdentity) => kind ?? connectionKind;
/** In the place of the owner's uid: it belongs to nobody and may be taken. */
const nobody = 'released';

export function planConnection(
  desired: DesiredConnection,
  { configMap }: ObservedConnection,
): Plan<ConnectionChange> {
  const belongs = configMap === undefined ? 'nobody' : belonging(desired, configMap);
  if (desired.ensure !== 'present') {
    if (configMap === undefined || belongs !== 'own') return [];
    return [desired.ensure === 'absent' ? { do: 'remove', uid: configMap.uid } : release(desired, configMap)];
  }
  const wished = write(desired);
  if (configMap === undefined) return [{ do: 'create', configMap: wished }];
  if (belongs === 'foreign') return { refused: foreign(desired) };
  if (belongs === 'claimed') return { refused: claimed(desired, configMap) };
  const { resourceVersion } = configMap;
  return agrees(configMap, wished) ? [] : [{ do: 'replace', configMap: wished, resourceVersion }];
}

export function describeConnection(
  change: ConnectionChange,
  { namespace, name, kind }: ConnectionIdentity,
): readonly string[] {
  const line = (what: string) => `ConfigMap ${namespace}/${name}: ${what}`;
  if (change.do === 'remove') return [line('delete')];
  const entries = Object.entries(change.configMap.data).flatMap(([key, value]) =>
    kind === roleScriptKind
      ? value.split('\n').map((each) => line(`${key}: ${each}`))
      : [line(`${key}=${value}`)],
  );
  return [line(change.do), ...entries];
}

/** A predecessor is an object of the same name that was deleted and created anew. */
type Belonging = 'own' | 'predecessor' | 'claimed' | 'foreign';

function belonging(desired: DesiredConnection, configMap: KeptConfigMap): Belonging {
  const ours =
    configMap.labels[labels.managedBy] === managedByValue &&
    configMap.labels[labels.operatorID] === desired.operatorID &&
    configMap.labels[labels.kind] === kindOf(desired);
  if (!ours) return 'foreign';
  const reference = userReference(configMap);
  const uid = configMap.annotations[annotations.ownerUID] ?? reference?.uid;
  if (uid === undefined) return 'foreign';
  if (uid === desired.owner.uid) return 'own';
  if (uid === nobody && reference === undefined) return 'predecessor';
  // Two objects that live at the same time cannot have one name.
  return reference?.uid === uid && reference.name === desired.owner.name ? 'predecessor' : 'claimed';
}

function userReference(configMap: KeptConfigMap): OwnerReference | undefined {
  return configMap.ownerReferences?.find(
    (reference) => reference.kind === 'IamDatabaseUser' && reference.apiVersion.startsWith(`${group}/`),
  );
}

interface OwnedConfigMap extends NewConfigMap {
  readonly ownerReferences: readonly [OwnerReference];
}

function write(desired: DesiredConnection & { readonly ensure: 'present' }): OwnedConfigMap {
  const { namespace, name, operatorID, owner, data } = desired;
  return {
    namespace,
    name,
    labels: {
      [labels.managedBy]: managedByValue,
      [labels.operatorID]: operatorID,
      [labels.kind]: kindOf(desired),
    },
    annotations: { [annotations.ownerUID]: owner.uid },
    ownerReferences: [
      {
        apiVersion,
        kind: 'IamDatabaseUser',
        name: owner.name,
        uid: owner.uid,
        controller: true,
        // True would need the right to update the finalizers of the owner on some clusters, and gains nothing.
        blockOwnerDeletion: false,
      },
    ],
    data,
  };
}

function release(
  { namespace, name, data: last }: DesiredConnection,
  { labels: own, data, resourceVersion }: KeptConfigMap,
): ConnectionChange {
  const marks = { [annotations.ownerUID]: nobody };
  const configMap = {
    namespace,
    name,
    labels: own,
    annotations: marks,
    ownerReferences: [],
    data: last ?? data,
  };
  return { do: 'replace', configMap, resourceVersion };
}

function agrees(observed: KeptConfigMap, wished: OwnedConfigMap): boolean {
  const [owner, ...more] = observed.ownerReferences ?? [];
  const [wishedOwner] = wished.ownerReferences;
  return (
    observed.annotations[annotations.ownerUID] === wished.annotations[annotations.ownerUID] &&
    owner !== undefined &&
    more.length === 0 &&
    owner.uid === wishedOwner.uid &&
    owner.name === wishedOwner.name &&
    owner.kind === wishedOwner.kind &&
    owner.apiVersion === wishedOwner.apiVersion &&
    owner.controller === true &&
    sameEntries(observed.data, wished.data)
  );
}

function foreign({ namespace, name, kind }: ConnectionIdentity): Failure {
  if (kind !== undefined) {
    const message = `The ConfigMap ${namespace}/${name} is not what this operator keeps under that name. Delete it if nobody needs it.`;
    return new Failure('conflict', 'ForeignConfigMap', message);
  }
  return new Failure(
    'conflict',
    'ForeignConfigMap',
    `The ConfigMap ${namespace}/${name} is not a connection of this operator. Set spec.connection.configMapName to another name, or delete that ConfigMap if nobody needs it.`,
  );
}

function claimed({ namespace, name }: ConnectionIdentity, configMap: KeptConfigMap): Failure {
  const holder = userReference(configMap)?.name;
  return new Failure(
    'conflict',
    'ConfigMapClaimed',
    `The ConfigMap ${namespace}/${name} is already kept for ${holder === undefined ? 'another IamDatabaseUser' : `the IamDatabaseUser ${holder}`}. Set spec.connection.configMapName to a name of its own.`,
  );
}
