// A second AWS account with a database of its own, and the role there by which the operator reaches it.
import { operatorPolicy } from '../../src/systems/operator-policy.ts';
import type { Account } from '../aws/account.ts';
import type { Aws } from '../aws/aws.ts';
import type { Database } from '../bed/bed.ts';
import { createIamAdmin } from '../bed/postgres-admin.ts';
import { createWorkloadRole, operatorID, operatorRoleARN, region } from './account.ts';
import { createCluster } from './cluster-in-rds.ts';
import { type Scene, sceneOf } from './scene.ts';
import type { DatabaseManifest, Stage } from './stage.ts';

export const otherAccountID = '444455556666';
export const reachARN = `arn:aws:iam::${otherAccountID}:role/iamdb/reach`;
export const externalID = 'stage-1';
export const otherCheckoutRole = `arn:aws:iam::${otherAccountID}:role/payments-checkout`;

export interface Elsewhere {
  readonly account: Account;
  readonly database: Database;
  readonly admin: string;
}

/** The published policy, of that account, is all that the role there has; its trust policy asks for the external id. */
export async function createElsewhere(aws: Aws, database: Database): Promise<Elsewhere> {
  const account = aws.addAccount(otherAccountID);
  const { username: admin } = await createIamAdmin(database.postgres);
  const resourceId = createCluster(account, database);
  account.createRole({
    name: 'reach',
    path: '/iamdb/',
    trustPolicy: {
      Version: '2012-10-17',
      Statement: [
        {
          Effect: 'Allow',
          Principal: { AWS: operatorRoleARN },
          Action: ['sts:AssumeRole', 'sts:TagSession'],
          Condition: { StringEquals: { 'sts:ExternalId': externalID } },
        },
      ],
    },
    policies: {
      operator: operatorPolicy({
        partition: account.partition,
        accountID: otherAccountID,
        operatorID,
        principals: [`arn:aws:iam::${otherAccountID}:role/payments-*`],
        admins: [`arn:aws:rds-db:${region}:${otherAccountID}:dbuser:${resourceId}/${admin}`],
      }),
    },
  });
  createWorkloadRole(account, 'payments-checkout', { operator: reachARN });
  return { account, database, admin };
}

/** The stage's scene in the other account: its policies, its logins. */
export function sceneElsewhere(stage: Stage): Scene {
  const { account, database } = elsewhereOf(stage);
  return sceneOf({ ...stage, aws: { ...stage.aws, ...account }, database });
}

export const elsewhereOf = ({ elsewhere }: Stage): Elsewhere => {
  if (elsewhere === undefined) throw new Error('the stage was started without elsewhere');
  return elsewhere;
};

/** An IamDatabase for the database of the other account. */
export function databaseElsewhere(
  stage: Stage,
  { spec, name = 'orders-elsewhere' }: { readonly name?: string; readonly spec?: object } = {},
): DatabaseManifest {
  const { database, admin } = elsewhereOf(stage);
  return stage.iamDatabase({
    name,
    spec: {
      assumeRole: { arn: reachARN, externalID },
      connectTo: { host: '127.0.0.1', port: database.gate.port },
      admin: { username: admin, authentication: 'IAM' },
      allow: [
        {
          namespaces: { names: ['payments'] },
          usernames: ['payments_*'],
          memberOf: ['orders_readwrite', 'orders_readonly'],
          principals: [`arn:aws:iam::${otherAccountID}:role/payments-*`],
        },
      ],
      ...spec,
    },
  });
}
