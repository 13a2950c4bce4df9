// Assuming roles through the real STS client: trust policies, session policies and ServiceAccount tokens.
import { generateKeyPairSync, type JsonWebKey, type KeyObject, sign } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GetRoleCommand, IAMClient } from '@aws-sdk/client-iam';
import {
  AssumeRoleCommand,
  AssumeRoleWithWebIdentityCommand,
  GetCallerIdentityCommand,
  STSClient,
} from '@aws-sdk/client-sts';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type Aws, startAws } from './aws.ts';
import { clientsFor } from './clients.ts';

const accountId = '111122223333';
let aws: Aws;

beforeEach(async () => {
  aws = await startAws({ region: 'ap-northeast-2', accountId });
});
afterEach(() => aws.close());

function trusting(principal: object | string, condition?: object): object {
  return {
    Version: '2012-10-17',
    Statement: {
      Effect: 'Allow',
      Principal: principal,
      Action: ['sts:AssumeRole', 'sts:AssumeRoleWithWebIdentity'],
      ...(condition === undefined ? {} : { Condition: condition }),
    },
  };
}

const allow = (action: string, resource = '*'): object => ({
  Version: '2012-10-17',
  Statement: { Effect: 'Allow', Action: action, Resource: resource },
});
const deny = (action: string): object => ({
  Version: '2012-10-17',
  Statement: { Effect: 'Deny', Action: action, Resource: '*' },
});
const service = trusting({ Service: 'pods.eks.amazonaws.com' });

describe('AssumeRole', () => {
  const account = { AWS: `arn:aws:iam::${accountId}:root` };
  const operatorRole = { AWS: `arn:aws:iam::${accountId}:role/operator` };
  const operatorSession = { AWS: `arn:aws:sts::${accountId}:assumed-role/operator/pod` };
  const somebody = { AWS: `arn:aws:iam::${accountId}:role/somebody` };

  test.each<[string, object, object | undefined, string | undefined, boolean]>([
    ['the trust names the role, no policy of its own', trusting(operatorRole), undefined, undefined, true],
    ['the trust names the session', trusting(operatorSession), undefined, undefined, true],
    ['the trust names the account, no policy of its own', trusting(account), undefined, undefined, false],
    ['the trust names the account, own policy', trusting(account), allow('sts:AssumeRole'), undefined, true],
    [
      'own policy for another role',
      trusting(account),
      allow('sts:AssumeRole', 'arn:aws:iam::111122223333:role/x'),
      undefined,
      false,
    ],
    ['the trust names somebody else', trusting(somebody), allow('*'), undefined, false],
    ['the trust names a service', service, allow('*'), undefined, false],
    ['own Deny', trusting(operatorRole), deny('sts:*'), undefined, false],
    [
      'external id missing',
      trusting(operatorRole, { StringEquals: { 'sts:ExternalId': 'x1' } }),
      undefined,
      undefined,
      false,
    ],
    [
      'external id wrong',
      trusting(operatorRole, { StringEquals: { 'sts:ExternalId': 'x1' } }),
      undefined,
      'x2',
      false,
    ],
    [
      'external id right',
      trusting(operatorRole, { StringEquals: { 'sts:ExternalId': 'x1' } }),
      undefined,
      'x1',
      true,
    ],
  ])('%s', async (_, trustPolicy, own, externalId, allowed) => {
    const operator = aws.createRole({
      name: 'operator',
      trustPolicy: service,
      ...(own === undefined ? {} : { policies: { own } }),
    });
    const { arn } = aws.createRole({ name: 'checkout', path: '/payments/', trustPolicy });
    const { sts } = clientsFor(aws, aws.createAccessKey(operator.arn, { name: 'pod' }));
    const answer = sts.send(
      new AssumeRoleCommand({
        RoleArn: arn,
        RoleSessionName: 'proof',
        ...(externalId === undefined ? {} : { ExternalId: externalId }),
      }),
    );
    const outcome = await answer.then(
      ({ AssumedRoleUser }) => AssumedRoleUser?.Arn,
      (error: unknown) => String(error),
    );
    expect(outcome).toContain(
      allowed
        ? `arn:aws:sts::${accountId}:assumed-role/checkout/proof`
        : `AccessDenied: User: arn:aws:sts::${accountId}:assumed-role/operator/pod is not authorized to perform: sts:AssumeRole on resource: ${arn}`,
    );
  });

  const tagging = { Effect: 'Allow', Principal: operatorRole, Action: ['sts:AssumeRole', 'sts:TagSession'] };
  const may = (action: string) => ({ own: allow(action) });
  test.each<[string, object, Readonly<Record<string, object>>, boolean]>([
    ['trust and own policy allow both', tagging, may('sts:*'), true],
    ['the trust allows no tags', { ...tagging, Action: 'sts:AssumeRole' }, may('sts:*'), false],
    ['own Deny of tags', tagging, { own: deny('sts:TagSession') }, false],
    [
      'the trust names the account, and the own policy allows no tags',
      { ...tagging, Principal: account },
      may('sts:AssumeRole'),
      false,
    ],
  ])('by a session with transitive tags: %s', async (_, statement, policies, allowed) => {
    const operator = aws.createRole({ name: 'operator', trustPolicy: service, policies });
    const trustPolicy = { Version: '2012-10-17', Statement: statement };
    const { arn } = aws.createRole({ name: 'checkout', trustPolicy });
    const key = aws.createAccessKey(operator.arn, { name: 'pod', hasTransitiveTags: true });
    const ask = new AssumeRoleCommand({ RoleArn: arn, RoleSessionName: 'proof' });
    const outcome = await clientsFor(aws, key)
      .sts.send(ask)
      .then(
        ({ Credentials }) => aws.lookupCredential(Credentials?.AccessKeyId ?? '')?.hasTransitiveTags,
        (error: unknown) => String(error),
      );
    expect(String(outcome)).toMatch(allowed ? /^true$/ : /is not authorized to perform: sts:TagSession/);
  });

  test('gives credentials narrowed by the session policy, which work and expire', async () => {
    const { arn } = aws.createRole({
      name: 'checkout',
      trustPolicy: trusting(account),
      policies: { everything: allow('*') },
    });
    const { sts } = clientsFor(aws, aws.administrator);
    const resource = `arn:aws:rds-db:ap-northeast-2:${accountId}:dbuser:cluster-ABC/checkout`;
    const { Credentials } = await sts.send(
      new AssumeRoleCommand({
        RoleArn: arn,
        RoleSessionName: 'proof',
        DurationSeconds: 900,
        Policy: JSON.stringify(allow('rds-db:connect', resource)),
      }),
    );
    expect(Credentials?.AccessKeyId).toMatch(/^ASIA/);
    expect(Credentials?.SessionToken?.length).toBeGreaterThan(1000);
    expect((Credentials?.Expiration?.getTime() ?? 0) - Date.now()).toBeGreaterThan(890_000);
    expect((Credentials?.Expiration?.getTime() ?? 0) - Date.now()).toBeLessThanOrEqual(900_000);

    const known = aws.lookupCredential(Credentials?.AccessKeyId ?? '');
    expect(known).toMatchObject({
      secretAccessKey: Credentials?.SecretAccessKey,
      sessionToken: Credentials?.SessionToken,
      principal: `arn:aws:sts::${accountId}:assumed-role/checkout/proof`,
    });
    const may = (on: string): boolean =>
      aws.authorize({
        principal: known?.principal ?? '',
        sessionPolicy: known?.sessionPolicy,
        action: 'rds-db:connect',
        resource: on,
      });
    expect(may(resource)).toBe(true);
    expect(may(resource.replace('checkout', 'other'))).toBe(false);

    const { iam } = clientsFor(aws, {
      accessKeyId: Credentials?.AccessKeyId ?? '',
      secretAccessKey: Credentials?.SecretAccessKey ?? '',
      sessionToken: Credentials?.SessionToken ?? '',
    });
    await expect(iam.send(new GetRoleCommand({ RoleName: 'checkout' }))).rejects.toThrow(
      'because no session policy allows the iam:GetRole action',
    );
  });

  test.each<[string, object, object]>([
    ['899 seconds', { DurationSeconds: 899 }, { name: 'ValidationError' }],
    ['more than the role allows', { DurationSeconds: 3601 }, { name: 'ValidationError' }],
    ['a session name with a space', { RoleSessionName: 'a b' }, { name: 'ValidationError' }],
    ['a session policy that is no policy', { Policy: '{}' }, { name: 'MalformedPolicyDocumentException' }],
    [
      'a session policy that is too long',
      { Policy: ' '.repeat(2049) },
      { name: 'PackedPolicyTooLargeException' },
    ],
  ])('refuses %s', async (_, input, refusal) => {
    const { arn } = aws.createRole({ name: 'checkout', trustPolicy: trusting(account) });
    const { sts } = clientsFor(aws, aws.administrator);
    await expect(
      sts.send(new AssumeRoleCommand({ RoleArn: arn, RoleSessionName: 'proof', ...input })),
    ).rejects.toMatchObject({ ...refusal, $metadata: { httpStatusCode: 400 } });
  });

  test('refuses the root, and a role that does not exist in the same words as one that is not trusted', async () => {
    const { arn } = aws.createRole({ name: 'checkout', trustPolicy: trusting(account) });
    const root = clientsFor(aws, aws.createAccessKey(aws.rootArn)).sts;
    await expect(
      root.send(new AssumeRoleCommand({ RoleArn: arn, RoleSessionName: 'proof' })),
    ).rejects.toThrow('Roles may not be assumed by root accounts.');
    const { sts } = clientsFor(aws, aws.administrator);
    const missing = `arn:aws:iam::${accountId}:role/missing`;
    await expect(
      sts.send(new AssumeRoleCommand({ RoleArn: missing, RoleSessionName: 'proof' })),
    ).rejects.toMatchObject({
      name: 'AccessDenied',
      message: `User: arn:aws:iam::${accountId}:user/administrator is not authorized to perform: sts:AssumeRole on resource: ${missing}`,
    });
  });
});

function jwk(key: KeyObject, kid: string): JsonWebKey {
  return { ...key.export({ format: 'jwk' }), kid };
}

function part(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function assume(webIdentityToken: string, roleName = 'checkout'): Promise<unknown> {
  // The SDK signs nothing here, as in a pod that has no other credentials.
  const sts = new STSClient({ region: 'ap-northeast-2', endpoint: aws.baseUrl, maxAttempts: 1 });
  return sts.send(
    new AssumeRoleWithWebIdentityCommand({
      RoleArn: `arn:aws:iam::${accountId}:role/${roleName}`,
      RoleSessionName: 'pod',
      WebIdentityToken: webIdentityToken,
    }),
  );
}

describe('AssumeRoleWithWebIdentity', () => {
  const issuer = 'https://oidc.example.test/id/ABC';
  const subject = 'system:serviceaccount:payments:checkout';
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });

  function token(
    claims: object = {},
    {
      key = rsa.privateKey,
      alg = 'RS256',
      kid = 'one',
    }: { key?: KeyObject; alg?: string; kid?: string } = {},
  ): string {
    const seconds = Math.floor(Date.now() / 1000);
    const signed = `${part({ alg, kid })}.${part({
      iss: issuer,
      sub: subject,
      aud: ['sts.amazonaws.com'],
      iat: seconds,
      exp: seconds + 600,
      ...claims,
    })}`;
    const signature = sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' });
    return `${signed}.${signature.toString('base64url')}`;
  }

  beforeEach(() => {
    const provider = aws.registerOidcProvider({
      issuer,
      jwks: { keys: [jwk(rsa.publicKey, 'one'), jwk(ec.publicKey, 'two')] },
    });
    aws.createRole({
      name: 'checkout',
      trustPolicy: trusting(
        { Federated: provider },
        {
          StringEquals: {
            'oidc.example.test/id/ABC:sub': subject,
            'oidc.example.test/id/ABC:aud': 'sts.amazonaws.com',
          },
        },
      ),
    });
    aws.createRole({ name: 'other', trustPolicy: service });
  });

  test('gives a session for a token of the ServiceAccount that the role trusts', async () => {
    await expect(assume(token())).resolves.toMatchObject({
      SubjectFromWebIdentityToken: subject,
      Provider: `arn:aws:iam::${accountId}:oidc-provider/oidc.example.test/id/ABC`,
      Audience: 'sts.amazonaws.com',
      AssumedRoleUser: { Arn: `arn:aws:sts::${accountId}:assumed-role/checkout/pod` },
    });
    await expect(assume(token({}, { key: ec.privateKey, alg: 'ES256', kid: 'two' }))).resolves.toMatchObject({
      Audience: 'sts.amazonaws.com',
    });
    expect(JSON.stringify(aws.calls)).not.toContain(token().split('.')[0]);
  });

  test.each<[string, () => string, object]>([
    [
      'another ServiceAccount',
      () => token({ sub: 'system:serviceaccount:payments:other' }),
      { name: 'AccessDenied' },
    ],
    [
      'another audience',
      () => token({ aud: ['https://kubernetes.default.svc'] }),
      { name: 'InvalidIdentityTokenException' },
    ],
    [
      'an unknown issuer',
      () => token({ iss: 'https://elsewhere' }),
      { name: 'InvalidIdentityTokenException' },
    ],
    ['an expired token', () => token({ exp: 1 }), { name: 'ExpiredTokenException' }],
    [
      'a signature by another key',
      () => token({}, { key: generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey }),
      { name: 'InvalidIdentityTokenException' },
    ],
    [
      'no signature',
      () => `${token({}, { alg: 'none' }).split('.').slice(0, 2).join('.')}.`,
      { name: 'InvalidIdentityTokenException' },
    ],
    [
      'changed claims',
      () => token().replace(/\.[^.]+\./, `.${token({ sub: 'x' }).split('.')[1]}.`),
      { name: 'InvalidIdentityTokenException' },
    ],
    ['something else', () => 'not-a-token', { name: 'InvalidIdentityTokenException' }],
  ])('refuses %s', async (_, make, refusal) => {
    await expect(assume(make())).rejects.toMatchObject(refusal);
  });

  test('refuses a role that does not trust the issuer, and keys that were exchanged', async () => {
    await expect(assume(token(), 'other')).rejects.toMatchObject({
      name: 'AccessDenied',
      message: 'Not authorized to perform sts:AssumeRoleWithWebIdentity',
    });
    aws.registerOidcProvider({ issuer, jwks: { keys: [jwk(ec.publicKey, 'one')] } });
    await expect(assume(token())).rejects.toMatchObject({ name: 'InvalidIdentityTokenException' });
  });
});

test('a pod with a token file and the environment’s endpoints becomes its role, with no word in its code', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'aws-stand-in-'));
  const tokenFile = join(folder, 'token');
  const keys = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const seconds = Math.floor(Date.now() / 1000);
  const issuer = 'https://kubernetes.default.svc';
  const signed = [
    { alg: 'RS256', kid: 'k' },
    {
      iss: issuer,
      sub: 'system:serviceaccount:iamdb:operator',
      aud: ['sts.amazonaws.com'],
      exp: seconds + 600,
    },
  ]
    .map(part)
    .join('.');
  const signature = sign('sha256', Buffer.from(signed), keys.privateKey).toString('base64url');
  writeFileSync(tokenFile, `${signed}.${signature}`);
  const provider = aws.registerOidcProvider({ issuer, jwks: { keys: [jwk(keys.publicKey, 'k')] } });
  const role = aws.createRole({ name: 'operator', trustPolicy: trusting({ Federated: provider }) });
  try {
    for (const [name, value] of Object.entries({
      ...aws.environment(),
      AWS_ACCESS_KEY_ID: undefined,
      AWS_SECRET_ACCESS_KEY: undefined,
      AWS_WEB_IDENTITY_TOKEN_FILE: tokenFile,
      AWS_ROLE_ARN: role.arn,
      AWS_ROLE_SESSION_NAME: 'pod',
    })) {
      vi.stubEnv(name, value);
    }
    const identity = await new STSClient({}).send(new GetCallerIdentityCommand({}));
    expect(identity.Arn).toBe(`arn:aws:sts::${accountId}:assumed-role/operator/pod`);
    await expect(new IAMClient({}).send(new GetRoleCommand({ RoleName: 'operator' }))).rejects.toThrow(
      'not authorized to perform: iam:GetRole',
    );
  } finally {
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true });
  }
});

test('GetCallerIdentity needs no permission', async () => {
  const { arn } = aws.createUser({ name: 'nobody', path: '/people/' });
  const { sts } = clientsFor(aws, aws.createAccessKey(arn));
  await expect(sts.send(new GetCallerIdentityCommand({}))).resolves.toMatchObject({
    Account: accountId,
    Arn: `arn:aws:iam::${accountId}:user/people/nobody`,
    UserId: expect.stringMatching(/^AIDA/),
  });
});
