// The names by which the tests on a cluster and the pods that they start know each other.
import { accountID, region } from '../stage/account.ts';

/** Of the stand-ins. */
export const awsNamespace = 'iamdb-test-aws';
/** Of the operator; enforces the restricted level. */
export const operatorNamespace = 'iamdb-test-system';
/** Of an application team; enforces it too. */
export const teamNamespace = 'iamdb-test-payments';

export const release = 'iamdb-operator';
export const operatorID = 'cluster-test';
/** Everything that the tests put into the cluster carries it, so that what a killed run left is known as its own. */
export const testLabel = { 'iamdb-test': 'cluster' } as const;

/** Without the cluster's domain, which pods add themselves: they know it, we do not. */
export const serviceHost = (name: string): string => `${name}.${awsNamespace}.svc`;
/** As AWS names endpoints; pods know the names as aliases of the Service behind them. */
export const databaseHost = `orders-prod.cluster-abcdefghijkl.${region}.rds.amazonaws.com`;
export const readerHost = `orders-prod.cluster-ro-abcdefghijkl.${region}.rds.amazonaws.com`;
export const databaseService = 'orders-prod';
export const databasePort = 5432;
export const awsPort = 4566;
export const trustStorePort = 8000;
/** Where the stand-ins tell what happened in them. */
export const reportPort = 8080;

export const roleARN = (name: string): string => `arn:aws:iam::${accountID}:role/${name}`;

/** What the AWS stand-in is told at its start. */
export interface AccountSetup {
  /** The cluster's own, from its discovery document. */
  readonly issuer: string;
  readonly jwks: { readonly keys: readonly JsonWebKey[] };
  /** Roles that one ServiceAccount each may assume. */
  readonly roles: readonly { readonly name: string; readonly serviceAccount: string }[];
}

export interface JsonWebKey {
  readonly [name: string]: unknown;
}

/** What happened in the account. */
export interface AccountReport {
  /** Calls of writing actions, however they ended. */
  readonly writes: number;
  /** Names of the operator's policies, by role. */
  readonly attached: Readonly<Record<string, readonly string[]>>;
}

/** What happened at the database. */
export interface DatabaseReport {
  readonly logins: readonly {
    readonly user: string;
    readonly by: string;
    readonly outcome: string;
    readonly why?: string;
    readonly principal?: string;
  }[];
  /** Of the team, with the roles that they are members of. */
  readonly roles: Readonly<Record<string, readonly string[]>>;
}

/** A line of the workload, one for each login. */
export type LoginLine = { readonly user: string } | { readonly error: string };
