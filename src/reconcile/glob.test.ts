import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { matchesArn, matchesGlob } from './glob.ts';

describe('a user name pattern', () => {
  it.each([
    ['payments_*', 'payments_checkout', true],
    ['payments_*', 'payments_', true],
    ['payments_*', 'Payments_checkout', false],
    ['payments_*', 'xpayments_checkout', false],
    ['payments', 'payments', true],
    ['payments', 'payments2', false],
    ['*', 'anything', true],
    ['*', '', true],
    ['*_ro', 'a_ro', true],
    ['*_ro', '_ro_', false],
    ['a*a', 'a', false],
    ['a*a', 'aa', true],
    ['a*b*c', 'abc', true],
    ['a*b*c', 'acb', false],
    ['a**b', 'ab', true],
    // Each piece begins where the one before has ended.
    ['*ab*ba*', 'aba', false],
    ['*ab*ba*', 'abba', true],
    ['x*aba*aba*', 'xababa', false],
    ['*ab*bc', 'abc', false],
    ['a.c', 'abc', false],
    ['a@x-y', 'a@x-y', true],
  ])('%s on %s: %s', (pattern, name, expected) => {
    expect(matchesGlob(pattern, name)).toBe(expected);
  });

  const piece = fc.string({ unit: fc.constantFrom('a', 'b', '_', '.', '$', '(', '\\'), maxLength: 6 });
  const pattern = fc.array(fc.oneof(piece, fc.constant('*')), { maxLength: 8 }).map((all) => all.join(''));

  it('says what the regular expression says that it stands for', () => {
    fc.assert(
      fc.property(pattern, piece, (glob, text) => {
        const escaped = glob
          .replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)
          .replaceAll(String.raw`\*`, '.*');
        expect(matchesGlob(glob, text)).toBe(new RegExp(`^${escaped}$`, 's').test(text));
      }),
      { numRuns: 2_000 },
    );
  });

  it('matches whatever is put in the place of its stars', () => {
    fc.assert(
      fc.property(fc.array(piece, { minLength: 1, maxLength: 6 }), fc.array(piece), (fixed, fillings) => {
        const text = fixed.map((one, i) => (i === 0 ? one : `${fillings[i] ?? ''}${one}`)).join('');
        expect(matchesGlob(fixed.join('*'), text)).toBe(true);
      }),
    );
  });

  it('takes no longer for a pattern made to be slow', () => {
    const began = performance.now();
    expect(matchesGlob(`${'a*'.repeat(31)}b`, 'a'.repeat(50_000))).toBe(false);
    expect(performance.now() - began).toBeLessThan(200);
  });
});

const arnOf = (id: string, parts: readonly string[]) => `arn:aws:iam::${id}:role/${parts.join('/')}`;

describe('a principal pattern', () => {
  const arn = 'arn:aws:iam::111122223333:role/payments-checkout';
  it.each([
    [arn, arn, true],
    ['arn:aws:iam::111122223333:role/payments-*', arn, true],
    ['arn:aws:iam::111122223333:role/*', arn, true],
    ['arn:aws:iam::111122223333:role/*', 'arn:aws:iam::111122223333:role/admin/root', false],
    ['arn:aws:iam::111122223333:role/*/*', 'arn:aws:iam::111122223333:role/admin/root', true],
    ['arn:aws:iam::111122223333:role/teams/*/app', 'arn:aws:iam::111122223333:role/teams/pay/app', true],
    ['arn:aws:iam::111122223333:role/teams/*/app', 'arn:aws:iam::111122223333:role/teams/a/b/app', false],
    ['arn:aws:iam::111122223333:role/teams/*', 'arn:aws:iam::111122223333:role/teams/pay/app', false],
    ['arn:aws:iam::*:role/payments-*', arn, false],
    ['arn:aws:iam::11112222*:role/payments-*', arn, false],
    ['arn:*:iam::111122223333:role/payments-*', arn, false],
    ['arn:aws:*::111122223333:role/payments-*', arn, false],
    ['arn:aws:iam:*:111122223333:role/payments-*', arn, false],
    ['*', arn, false],
    ['arn:aws:iam::111122223333:*', arn, false],
    ['arn:aws:iam::111122223333:role/payments-*', 'arn:aws:iam::444455556666:role/payments-x', false],
    ['arn:aws:iam::111122223333:role/payments-*', 'arn:aws-cn:iam::111122223333:role/payments-x', false],
  ])('%s on %s: %s', (pattern, principal, expected) => {
    expect(matchesArn(pattern, principal)).toBe(expected);
  });

  const word = fc.string({ unit: fc.constantFrom('a', 'b', '-', '*', '1'), minLength: 1, maxLength: 5 });
  const account = fc.string({ unit: fc.constantFrom('1', '2'), minLength: 12, maxLength: 12 });
  const path = fc.array(word, { minLength: 1, maxLength: 4 });
  it('never reaches over a slash: as many parts as it has', () => {
    fc.assert(
      fc.property(account, path, path, (id, wanted, given) => {
        const plain = given.map((part) => part.replaceAll('*', 'x'));
        const stars = wanted.map(() => '*');
        expect(matchesArn(arnOf(id, stars), arnOf(id, plain))).toBe(wanted.length === plain.length);
      }),
    );
  });

  it('never reaches another account, whatever stands in its account', () => {
    const wild = fc.string({ unit: fc.constantFrom('1', '2', '*'), maxLength: 12 });
    fc.assert(
      fc.property(wild, account, path, (pattern, id, parts) => {
        expect(matchesArn(arnOf(pattern, parts), arnOf(id, parts))).toBe(pattern === id);
      }),
    );
  });

  it('never reaches over a colon', () => {
    fc.assert(
      fc.property(account, word, word, (id, a, b) => {
        expect(matchesArn(arnOf(id, ['*']), `${arnOf(id, [a])}:${b}`)).toBe(false);
      }),
    );
  });
});
