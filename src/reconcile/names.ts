// Names of what is made for a user, where it does not choose them itself.
import type { IamDatabase, IamDatabaseUser } from '../api/objects.ts';

export const keyOf = (object: {
  readonly metadata: { readonly namespace?: string; readonly name: string };
}) =>
  object.metadata.namespace === undefined
    ? object.metadata.name
    : `${object.metadata.namespace}/${object.metadata.name}`;

export const connectionName = ({ metadata, spec }: IamDatabaseUser) =>
  spec.connection.configMapName ?? `${metadata.name}-connection`;

export const policyDocumentName = ({ metadata }: IamDatabaseUser) => `${metadata.name}-policy`;

export const roleScriptName = ({ metadata }: IamDatabaseUser) => `${metadata.name}-sql`;

/** The region is declared, so the name is known before the target is resolved. */
export function trustBundleName({ spec }: IamDatabaseUser, database: IamDatabase): string {
  return spec.trustBundle.configMapName ?? `rds-ca-${declaredRegion(database)}`;
}

export const declaredRegion = ({ spec: { target } }: IamDatabase) =>
  target.cluster?.region ?? target.instance?.region ?? target.explicit?.region ?? 'unknown';
