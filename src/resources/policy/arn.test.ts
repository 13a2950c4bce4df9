// Names, ARNs, documents and tags: exact whatever somebody puts into their parts.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Failure } from '../../kernel/failure.ts';
import { type DatabaseUser, dbUserARN, isAttachable, parseDbUserARN, parseRoleARN } from './arn.ts';
import { documentOf, documentSize, readDocument } from './document.ts';
import {
  isOurs,
  namePrefix,
  policyPath,
  shardARN,
  shardName,
  shardNumber,
  tagsOf,
  tagValue,
} from './names.ts';
import { arnOf, roleARN } from '../../../test/builders/policy-fixtures.ts';

const user: DatabaseUser = {
  partition: 'aws-cn',
  region: 'cn-north-1',
  accountID: '111122223333',
  resourceID: 'cluster-ABC123',
  username: 'Payments_checkout.v2@corp-x',
};

/** Undefined if it was refused as it should be; whatever else is thrown is thrown on. */
function builtOrRefused(wanted: DatabaseUser): string | undefined {
  try {
    return dbUserARN(wanted);
  } catch (thrown) {
    if (thrown instanceof Failure && thrown.kind === 'invalid') return undefined;
    throw thrown;
  }
}

describe('the ARN of a database user', () => {
  test('has partition, region and account of the database, a colon after dbuser, and keeps case', () => {
    expect(dbUserARN(user)).toBe(
      'arn:aws-cn:rds-db:cn-north-1:111122223333:dbuser:cluster-ABC123/Payments_checkout.v2@corp-x',
    );
  });

  test.for([
    ['partition', 'gcp', 'InternalError'],
    ['partition', 'xaws', 'InternalError'],
    ['region', 'e1', 'InternalError'],
    ['region', 'xEU-west-1', 'InternalError'],
    ['accountID', '1111222233334', 'InternalError'],
    ['accountID', '11112222333', 'InternalError'],
    ['resourceID', 'xdb-A', 'InternalError'],
    ['resourceID', 'db-', 'InternalError'],
    ['resourceID', 'db-A.', 'InternalError'],
    ['username', '1a', 'UsernameNotAllowed'],
    ['username', 'a'.repeat(64), 'UsernameNotAllowed'],
  ] as const)('is refused for its %s, which the message names: %s', ([part, value, reason]) => {
    const build = () => {
      try {
        return dbUserARN({ ...user, [part]: value });
      } catch (thrown) {
        return thrown;
      }
    };
    expect(build()).toMatchObject({
      kind: 'invalid',
      reason,
      message: `The ${part} of the database user has characters that may not stand in an ARN of a policy.`,
    });
  });

  test('comes back as its parts', () => {
    expect(parseDbUserARN(dbUserARN(user))).toEqual(user);
  });

  test('10,000 parts made to break out are refused, or stand in it as they are', () => {
    const hostile = fc.oneof(
      fc.string({
        unit: fc.constantFrom('*', '?', '$', '{', '}', ':', '/', '"', ',', '\n', ' ', 'a', '-', '_'),
      }),
      fc.string({ unit: 'binary' }),
      fc.constantFrom('*', 'a*', '${aws:username}', 'a/b', 'a:b', 'cluster-*', 'db-?', '', 'a\n', 'ä'),
    );
    const part = fc.constantFrom('partition', 'region', 'accountID', 'resourceID', 'username');
    fc.assert(
      fc.property(part, hostile, (name, value) => {
        const wanted = { ...user, [name]: value };
        const arn = builtOrRefused(wanted);
        expect(arn ?? '').not.toMatch(/[*?$\s"{}]/);
        expect(arn === undefined ? wanted : parseDbUserARN(arn)).toEqual(wanted);
      }),
      { numRuns: 10_000 },
    );
  });

  test.for([
    'arn:aws:rds-db:eu-west-1:111122223333:dbuser:*/a',
    'arn:aws:rds-db:eu-west-1:111122223333:dbuser:db-A/*',
    'arn:aws:rds-db:eu-west-1:*:dbuser:db-A/a',
    'arn:aws:rds-db:eu-west-1:111122223333:dbuser/db-A/a',
    'arn:aws:s3:::bucket/key',
    'xarn:aws:rds-db:eu-west-1:111122223333:dbuser:db-A/a',
    'arn:aws:rds-db:eu-west-1:111122223333:dbuser:db-A/a/b',
    'arn:aws:rds-db:eu-west-1:111122223333:dbuser:db-A/a:b',
    'arn:gcp:rds-db:eu-west-1:111122223333:dbuser:db-A/a',
    'arn:aws:rds-db:EU:111122223333:dbuser:db-A/a',
    '*',
  ])('is not taken for one: %s', (arn) => {
    expect(parseDbUserARN(arn)).toBeUndefined();
  });
});

describe('the ARN of a role', () => {
  test('comes apart into account, path and name', () => {
    expect(parseRoleARN(roleARN)).toEqual({
      partition: 'aws',
      accountID: '111122223333',
      path: '/team/',
      name: 'checkout',
    });
  });

  test.for([
    'arn:aws:iam::111122223333:user/x',
    'arn:aws:iam::111122223333:role/',
    'arn:aws:iam::111122223333:role/a//b',
    'arn:aws:iam::11112222333:role/x',
    'arn:aws:iam::111122223333:role/x\n',
    'arn:aws:sts::111122223333:assumed-role/x/y',
    'arn:aws:iam::111122223333:role/*',
  ])('is refused: %s', (arn) => {
    expect(() => parseRoleARN(arn)).toThrow(Failure);
  });

  test('of AWS itself cannot be attached to', () => {
    expect(isAttachable(parseRoleARN(roleARN))).toBe(true);
    for (const name of [
      'aws-service-role/a.b/c',
      'aws-reserved/sso.amazonaws.com/eu-west-1/x',
      'AWSReservedSSO_Admin_1',
    ]) {
      expect(isAttachable(parseRoleARN(`arn:aws:iam::111122223333:role/${name}`))).toBe(false);
    }
    for (const name of ['team/aws-service-role/c', 'team/aws-reserved/c', 'My_AWSReservedSSO_Admin']) {
      expect(isAttachable(parseRoleARN(`arn:aws:iam::111122223333:role/${name}`))).toBe(true);
    }
  });

  test('that is none is told without it', () => {
    expect(() => parseRoleARN('role/x')).toThrow(
      expect.objectContaining({
        kind: 'invalid',
        reason: 'PrincipalNotAllowed',
        message: 'A principal is not the ARN of an IAM role.',
      }),
    );
  });
});

const documentWith = (...statements: readonly object[]): string =>
  JSON.stringify({ Version: '2012-10-17', Statement: statements });

describe('a document', () => {
  const arns = [arnOf('b'), arnOf('a')];

  test('allows rds-db:connect on exactly the ARNs, sorted', () => {
    expect(JSON.parse(documentOf(arns))).toEqual({
      Version: '2012-10-17',
      Statement: [
        {
          Sid: 'IamdbConnect',
          Effect: 'Allow',
          Action: 'rds-db:connect',
          Resource: [arnOf('a'), arnOf('b')],
        },
      ],
    });
  });

  test('is counted without white space, as IAM counts', () => {
    const many = fc.uniqueArray(
      fc.integer({ min: 0, max: 9999 }).map((n) => arnOf(`u${n}`)),
      { minLength: 1 },
    );
    fc.assert(
      fc.property(many, (some) => {
        const pretty = JSON.stringify(JSON.parse(documentOf(some)), undefined, 4);
        expect(documentSize(some)).toBe(pretty.replaceAll(/\s/g, '').length);
      }),
    );
  });

  test.for([
    ['URL-encoded', encodeURIComponent(documentOf(arns))],
    ['plain', documentOf(arns)],
    ['pretty', JSON.stringify(JSON.parse(documentOf(arns)), undefined, 2)],
  ] as const)('is read %s', ([, text]) => {
    expect(readDocument(text)).toEqual({ arns: [arnOf('a'), arnOf('b')], released: [], exact: true });
  });

  const statement = {
    Sid: 'IamdbConnect',
    Effect: 'Allow',
    Action: 'rds-db:connect',
    Resource: [arnOf('a')],
  };
  test.for([
    ['a wildcard beside it', documentWith({ ...statement, Resource: [arnOf('a'), '*'] })],
    ['a wildcard action', documentWith({ ...statement, Action: ['rds-db:connect', 's3:*'] })],
    ['a second statement', documentWith(statement, { Effect: 'Allow', Action: 's3:*', Resource: '*' })],
    ['a denial beside it', documentWith(statement, { ...statement, Effect: 'Deny' })],
    ['a condition', documentWith({ ...statement, Condition: { Bool: { 'aws:SecureTransport': 'true' } } })],
    ['an older language', documentWith(statement).replace('2012-10-17', '2008-10-17')],
    ['another name of the statement', documentWith({ ...statement, Sid: 'Mine' })],
    ['its action in a list', documentWith({ ...statement, Action: ['rds-db:connect'] })],
    ['something beside its statements', documentWith(statement).replace('{', '{"Id":"mine",')],
    ['two statements of ours', documentWith(statement, statement)],
    ['the same ARN twice', documentWith({ ...statement, Resource: [arnOf('a'), arnOf('a')] })],
  ] as const)('edited by hand is not exact, and its exact ARNs are known: %s', ([, text]) => {
    expect(readDocument(text)).toEqual({ arns: [arnOf('a')], released: [], exact: false });
  });

  test.for([
    ['a denial', documentWith({ ...statement, Effect: 'Deny' })],
    [
      'everything but',
      documentWith({ Effect: 'Allow', NotAction: 'rds-db:connect', Resource: [arnOf('a')] }),
    ],
    ['another action', documentWith({ ...statement, Action: 's3:GetObject' })],
    ['an action of another service of that name', documentWith({ ...statement, Action: 'rds:connect' })],
    ['a resource that is no text', documentWith({ ...statement, Resource: [7, null] })],
    ['a statement that is no object', '{"Version":"2012-10-17","Statement":["rds-db:connect"]}'],
    ['no statement', '{"Version":"2012-10-17","Statement":[]}'],
    ['no statements at all', '{"Version":"2012-10-17"}'],
    ['no JSON', 'hello'],
    ['broken encoding', '%E0%A4%A'],
    ['no object', '[1]'],
    ['nothing', ''],
  ] as const)('that allows nothing we know: %s', ([, text]) => {
    expect(readDocument(text)).toEqual({ arns: [], released: [], exact: false });
  });

  test.for([
    ['beside others', ['a', 'b'], ['c']],
    ['alone', [], ['c']],
  ] as const)('keeps what was let go in a statement of its own: %s', ([, ours, left]) => {
    const text = documentOf(
      ours.map((name) => arnOf(name)),
      left.map((name) => arnOf(name)),
    );
    expect(readDocument(text)).toEqual({
      arns: ours.map((name) => arnOf(name)),
      released: left.map((name) => arnOf(name)),
      exact: true,
    });
    expect(
      documentSize(
        ours.map((name) => arnOf(name)),
        left.map((name) => arnOf(name)),
      ),
    ).toBe(text.length);
    expect(text).not.toContain('[]');
  });

  test('with a condition on what was let go is not exact', () => {
    const left = {
      ...statement,
      Sid: 'IamdbReleased',
      Condition: { Bool: { 'aws:SecureTransport': 'true' } },
    };
    expect(readDocument(documentWith(left))).toEqual({ arns: [], released: [arnOf('a')], exact: false });
  });
});

describe('names and marks', () => {
  const owner = { operatorID: 'prod-1', roleARN };

  test('fit into what IAM admits, for the longest names too', () => {
    const longest = {
      operatorID: 'o'.repeat(128),
      roleARN: `arn:aws-us-gov:iam::111122223333:role/p/${'r'.repeat(64)}`,
    };
    expect(shardName(longest, 99_999)).toMatch(/^[\w+=,.@-]{1,128}$/);
    expect(policyPath(longest.operatorID)).toMatch(/^\/[\u0021-\u007E]+\/$/);
    for (const [key, value] of Object.entries(tagsOf(longest, 'ns:a/b'))) {
      expect(key).toMatch(/^[\p{L}\p{Z}\p{N}_.:/=+\-@]{1,128}$/u);
      expect(value).toMatch(/^[\p{L}\p{Z}\p{N}_.:/=+\-@]{0,256}$/u);
    }
  });

  test('tell operators, roles, and roles of one name at two paths apart', () => {
    const names = [
      namePrefix(owner),
      namePrefix({ ...owner, operatorID: 'prod-2' }),
      namePrefix({ ...owner, roleARN: 'arn:aws:iam::111122223333:role/checkout' }),
      namePrefix({ ...owner, roleARN: 'arn:aws:iam::111122223333:role/team/checkout2' }),
    ];
    expect(new Set(names.map((name) => name.toLowerCase())).size).toBe(names.length);
  });

  test('give the number back, in any case, as IAM compares', () => {
    expect(shardNumber(owner, shardName(owner, 12))).toBe(12);
    expect(shardNumber(owner, shardName(owner, 12).toUpperCase())).toBe(12);
    expect(shardNumber(owner, shardName(owner, 99_999))).toBe(99_999);
    expect(shardNumber(owner, `other-${shardName(owner, 1)}`)).toBeUndefined();
    expect(shardNumber(owner, 'x'.repeat(namePrefix(owner).length).concat('1'))).toBeUndefined();
    for (const other of ['x', '01', '-1', '1e3', '', '100000']) {
      expect(shardNumber(owner, `${namePrefix(owner)}${other}`)).toBeUndefined();
    }
  });

  test('a role of a foreign partition has its policies there', () => {
    const china = { operatorID: 'op', roleARN: 'arn:aws-cn:iam::111122223333:role/x' };
    expect(shardARN(china, 0)).toMatch(
      /^arn:aws-cn:iam::111122223333:policy\/iamdb\/op\/iamdb-x-[0-9a-f]{16}-0$/,
    );
  });

  test('a tag holds what it may, and the hash of what it may not', () => {
    expect(tagValue(roleARN)).toBe(roleARN);
    expect(tagValue('arn:aws:iam::111122223333:role/a,b')).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(tagValue('x'.repeat(257))).toMatch(/^sha256:/);
  });

  test.for(['a/b', '', 'a*', 'a b', 'ü'])(
    'an operator id that could leave its path is refused: "%s"',
    (id) => {
      expect(() => policyPath(id)).toThrow(Failure);
    },
  );

  test('ours is only what has our path, our name and our tags', () => {
    const policy = { name: shardName(owner, 0), path: '/iamdb/prod-1/', tags: tagsOf(owner, 'all') };
    expect(isOurs(owner, policy)).toBe(true);
    expect(isOurs(owner, { ...policy, tags: tagsOf(owner, 'ns:x') })).toBe(true);
    expect(isOurs(owner, { ...policy, path: '/' })).toBe(false);
    expect(isOurs(owner, { ...policy, name: policy.name.toUpperCase() })).toBe(false);
    expect(isOurs(owner, { ...policy, tags: {} })).toBe(false);
    expect(isOurs(owner, { ...policy, tags: tagsOf({ ...owner, operatorID: 'prod-2' }, 'all') })).toBe(false);
    expect(isOurs(owner, { ...policy, tags: tagsOf({ ...owner, roleARN: `${roleARN}2` }, 'all') })).toBe(
      false,
    );
  });
});
