// The two kinds as they come from the API server.
import type { Condition } from './conditions.ts';
import type { DatabaseSpec, DatabaseStatus, UserSpec, UserStatus } from './schema.ts';

/** The part of metav1.ObjectMeta that we read. */
export interface Metadata {
  readonly name: string;
  readonly namespace?: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly generation: number;
  readonly creationTimestamp: string;
  readonly deletionTimestamp?: string;
  readonly finalizers?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

type WithConditions<S> = Partial<Omit<S, 'conditions'>> & { readonly conditions?: readonly Condition[] };

export interface IamDatabase {
  readonly apiVersion: string;
  readonly kind: 'IamDatabase';
  readonly metadata: Metadata;
  readonly spec: DatabaseSpec;
  readonly status?: WithConditions<DatabaseStatus>;
}

export interface IamDatabaseUser {
  readonly apiVersion: string;
  readonly kind: 'IamDatabaseUser';
  readonly metadata: Metadata & { readonly namespace: string };
  readonly spec: UserSpec;
  readonly status?: WithConditions<UserStatus>;
}
