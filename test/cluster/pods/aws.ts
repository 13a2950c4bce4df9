// The pod of AWS: the strict stand-in with one Aurora cluster, and roles that the cluster's ServiceAccounts may assume.
import { operatorPolicy } from '../../../src/systems/operator-policy.ts';
import { startAws } from '../../aws/aws.ts';
import { accountID, region } from '../../stage/account.ts';
import {
  type AccountReport,
  type AccountSetup,
  awsPort,
  databaseHost,
  databasePort,
  operatorID,
  operatorNamespace,
  release,
  reportPort,
  readerHost,
  roleARN,
  teamNamespace,
} from '../names.ts';
import { answer, endOnSignal, publish } from './serve.ts';

endOnSignal();
const setup = JSON.parse(process.env['SETUP'] ?? '') as AccountSetup;
const aws = await startAws({ region, accountId: accountID, progress: (line) => console.log(line) });
const provider = aws.registerOidcProvider({ issuer: setup.issuer, jwks: setup.jwks });
const { resourceId } = aws.rds.createCluster({
  identifier: 'orders-prod',
  endpoint: databaseHost,
  readerEndpoint: readerHost,
  port: databasePort,
});

/** As `eksctl create iamserviceaccount` writes it. */
const trusting = (namespace: string, serviceAccount: string) => {
  const issuer = setup.issuer.replace('https://', '');
  return {
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Principal: { Federated: provider },
        Action: 'sts:AssumeRoleWithWebIdentity',
        Condition: {
          StringEquals: {
            [`${issuer}:sub`]: `system:serviceaccount:${namespace}:${serviceAccount}`,
            [`${issuer}:aud`]: 'sts.amazonaws.com',
          },
        },
      },
    ],
  };
};
aws.createRole({
  name: 'iamdb-operator',
  trustPolicy: trusting(operatorNamespace, release),
  policies: {
    operator: operatorPolicy({
      partition: aws.partition,
      accountID,
      operatorID,
      principals: [roleARN('payments-*')],
      admins: [`arn:aws:rds-db:${region}:${accountID}:dbuser:${resourceId}/iamdb_admin`],
    }),
  },
});
for (const { name, serviceAccount } of setup.roles) {
  aws.createRole({ name, trustPolicy: trusting(teamNamespace, serviceAccount) });
}

function report(): AccountReport {
  const { roles, policies } = aws.iamState();
  const nameOf = new Map([...policies.values()].map(({ arn, name }) => [arn, name]));
  const attached = [...roles.values()].map(({ name, attached: arns }) => [
    name,
    arns.map((arn) => nameOf.get(arn) ?? arn),
  ]);
  return { writes: aws.countWrites(), attached: Object.fromEntries(attached) };
}

await publish(awsPort, Number(new URL(aws.baseUrl).port));
await answer(reportPort, {
  '/report': report,
  '/resource-id': () => resourceId,
  // The database's questions about whoever logs in there.
  '/credential': (accessKeyId) => aws.lookupCredential(String(accessKeyId)),
  '/authorize': (question) => aws.authorize(question as Parameters<typeof aws.authorize>[0]),
});
