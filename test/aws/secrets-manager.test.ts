// The stand-in for Secrets Manager as the SDK sees it, and what the operator's reader makes of its answers.
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { secretTexts } from '../../src/systems/secrets-manager/secrets-manager.ts';
import { type Aws, startAws } from './aws.ts';

const region = 'ap-northeast-2';
let aws: Aws;
let arn: string;
const clients: SecretsManagerClient[] = [];

beforeAll(async () => {
  aws = await startAws({ region, accountId: '111122223333' });
});
afterAll(async () => {
  for (const client of clients) client.destroy();
  await aws.close();
});
let count = 0;
beforeEach(() => {
  count += 1;
  aws.faults.clear();
  arn = aws.secrets.createSecret({ name: `rds!cluster-${count}`, text: 'canary-text' });
});

const clientOf = (
  credentials: { readonly accessKeyId: string; readonly secretAccessKey: string },
  of = region,
) => {
  const client = new SecretsManagerClient({ region: of, endpoint: aws.baseUrl, credentials, maxAttempts: 1 });
  clients.push(client);
  return client;
};
/** A user who may read what RDS keeps in the region, and nothing else. */
const reader = (secret = 'rds!*') => {
  const user = aws.createUser({
    name: `reader-${count}`,
    policies: {
      read: {
        Version: '2012-10-17',
        Statement: [
          {
            Effect: 'Allow',
            Action: 'secretsmanager:GetSecretValue',
            Resource: `arn:aws:secretsmanager:${region}:111122223333:secret:${secret}`,
          },
        ],
      },
    },
  });
  return clientOf(aws.createAccessKey(user.arn));
};
const get = async (client: SecretsManagerClient, id = arn) =>
  await client.send(new GetSecretValueCommand({ SecretId: id }));

describe('a secret that RDS keeps', () => {
  it('under a key of the account is read by whom may decrypt by it through Secrets Manager, and is kept on record', async () => {
    const key = `arn:aws:kms:${region}:111122223333:key/own`;
    arn = aws.secrets.createSecret({ name: `rds!own-${count}`, text: 'canary-text', kmsKey: key });
    const allow = (Action: string, Resource: string, Condition = {}) => ({
      Effect: 'Allow',
      Action,
      Resource,
      Condition,
    });
    const by = async (service: string) => {
      const through = { StringLike: { 'kms:ViaService': `${service}.*.amazonaws.com*` } };
      const Statement = [allow('secretsmanager:GetSecretValue', arn), allow('kms:Decrypt', key, through)];
      const policies = { read: { Version: '2012-10-17', Statement } };
      const user = aws.createUser({ name: `by-${service}-${count}`, policies });
      return await get(clientOf(aws.createAccessKey(user.arn)));
    };
    expect((await by('secretsmanager')).SecretString).toBe('canary-text');
    expect(aws.judged.at(-1)).toMatchObject({
      request: { action: 'kms:Decrypt', resource: key },
      decision: { effect: 'allow' },
    });
    await expect(by('ssm')).rejects.toThrow(/kms:Decrypt/);
  });

  it('is read by its ARN and by its name, and is another version once it is changed', async () => {
    const client = reader();
    const first = await get(client);
    expect(first).toMatchObject({ ARN: arn, Name: `rds!cluster-${count}`, SecretString: 'canary-text' });
    expect((await get(client, `rds!cluster-${count}`)).SecretString).toBe('canary-text');
    aws.secrets.modifySecret(arn, { text: 'another' });
    const second = await get(client);
    expect(second.SecretString).toBe('another');
    expect(second.VersionId).not.toBe(first.VersionId);
  });

  it('is kept from who may not read it, whether it exists or not, and from who signs with another key', async () => {
    const client = reader('rds!db-*');
    await expect(get(client)).rejects.toMatchObject({ name: 'AccessDenied' });
    await expect(get(client, 'rds!cluster-nowhere')).rejects.toMatchObject({ name: 'AccessDenied' });
    const { accessKeyId } = aws.administrator;
    await expect(get(clientOf({ accessKeyId, secretAccessKey: 'guessed' }))).rejects.toMatchObject({
      name: 'SignatureDoesNotMatch',
    });
  });

  it('is in its own region only, and what is not understood is refused', async () => {
    await expect(get(clientOf(aws.administrator, 'eu-west-1'))).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
    });
    const staged = new GetSecretValueCommand({ SecretId: arn, VersionStage: 'AWSPENDING' });
    await expect(clientOf(aws.administrator).send(staged)).rejects.toMatchObject({ name: 'ValidationError' });
  });
});

describe('the reader', () => {
  const read = async (
    client: SecretsManagerClient,
    of = arn,
  ): Promise<{
    readonly text?: string;
    readonly shown?: string;
    readonly failure?: unknown;
    readonly calls: readonly unknown[];
  }> => {
    const calls: unknown[] = [];
    const texts = secretTexts({ clientFor: () => client, onCall: (call) => calls.push(call) });
    try {
      const text = await texts.read({ arn: of, region }, AbortSignal.timeout(10_000));
      return { text: text.reveal(), shown: String(text), calls };
    } catch (failure) {
      return { failure, calls };
    }
  };

  it('gives the text as a secret that nothing prints, and records the call without it', async () => {
    const { text, shown, calls } = await read(reader());
    expect({ text, shown }).toEqual({ text: 'canary-text', shown: '[redacted]' });
    expect(calls).toMatchObject([{ service: 'secretsmanager', operation: 'GetSecretValue', outcome: 'ok' }]);
    expect(JSON.stringify([calls, aws.calls])).not.toContain('canary-text');
  });

  it.each([
    [
      'may not be read',
      'AccessDenied',
      'denied',
      'AccessDenied',
      /secretsmanager:GetSecretValue on arn:.*kms:Decrypt/,
    ],
    ['is throttled', 'Throttling', 'throttled', 'Throttled', /slow down/],
    ['cannot be asked for', 'ServiceUnavailable', 'unavailable', 'AwsUnavailable', /did not answer/],
  ] as const)('says what to do where it %s', async (_what, error, kind, reason, told) => {
    aws.faults.add({ service: 'secretsmanager', error });
    const { failure } = await read(reader());
    expect(failure).toMatchObject({ kind, reason });
    expect((failure as Error).message).toMatch(told);
  });

  it.each([
    ['cannot be decrypted', 'undecryptable', /cannot be decrypted.*KMS key/],
    ['is marked for deletion', 'deleted', /marked for deletion/],
  ] as const)('says what is wrong where it %s', async (_what, broken, told) => {
    aws.secrets.modifySecret(arn, { broken });
    const { failure } = await read(reader());
    expect(failure).toMatchObject({ kind: 'missing', reason: 'ManagedSecretUnavailable' });
    expect((failure as Error).message).toMatch(told);
  });

  it('says that it does not exist', async () => {
    const { failure } = await read(reader(), arn.replace('cluster', 'cluster-gone'));
    expect(failure).toMatchObject({ kind: 'missing', reason: 'ManagedSecretUnavailable' });
  });
});
