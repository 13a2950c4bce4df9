import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { Secret } from '../../kernel/secret.ts';
import { operatorTokens, signToken } from './tokens.ts';

const of = {
  host: 'Orders.Cluster-ABC.eu-west-1.rds.amazonaws.com',
  port: 5433,
  region: 'eu-west-1',
  username: 'Payments_checkout',
};
const keys = { accessKeyId: 'ASIATEST', secretAccessKey: 'canary-key', sessionToken: 'canary/token+=' };

describe('a login token', () => {
  it('is a presigned request to the endpoint in lower case, for 15 minutes, without a scheme', async () => {
    const token = await signToken({ ...of, credentials: new Secret(keys) });
    const url = new URL(`https://${token.reveal()}`);
    expect(token.reveal()).toMatch(/^orders\.cluster-abc\.eu-west-1\.rds\.amazonaws\.com:5433\/\?/);
    expect(url.searchParams.get('Action')).toBe('connect');
    expect(url.searchParams.get('DBUser')).toBe('Payments_checkout');
    expect(url.searchParams.get('X-Amz-Expires')).toBe('900');
    expect(url.searchParams.get('X-Amz-Security-Token')).toBe('canary/token+=');
    expect(url.searchParams.get('X-Amz-Credential')).toMatch(
      /^ASIATEST\/\d{8}\/eu-west-1\/rds-db\/aws4_request$/,
    );
  });

  it('is never printed', async () => {
    const token = await signToken({ ...of, credentials: new Secret(keys) });
    expect(`${inspect({ token })} ${JSON.stringify({ token })} ${String(token)}`).not.toMatch(/canary|Amz/);
  });

  it('of the operator is signed with what its provider gives at that moment', async () => {
    let keyID = 'AKIAFIRST';
    const tokenFor = operatorTokens(() => Promise.resolve({ ...keys, accessKeyId: keyID }));
    expect((await tokenFor(of)).reveal()).toContain('AKIAFIRST');
    keyID = 'AKIASECOND';
    expect((await tokenFor(of)).reveal()).toContain('AKIASECOND');
  });

  it('cannot be made without credentials, which is told without what the provider said', async () => {
    const broken = Object.assign(new Error('canary-key'), { name: 'CredentialsProviderError' });
    const failure = operatorTokens(() => Promise.reject(broken))(of);
    await expect(failure).rejects.toMatchObject({
      reason: 'AccessDenied',
      message: expect.not.stringContaining('canary') as unknown,
    });
  });
});
