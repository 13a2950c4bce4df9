import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { aUser } from '../../test/builders/objects.ts';
import { byAge, holderOf } from './claim.ts';

const claimant = (name: string, creationTimestamp = '2026-01-01T00:00:00Z', namespace = 'payments') =>
  aUser({ metadata: { name, namespace, creationTimestamp } });

const older = claimant('zeta', '2026-01-01T00:00:00Z');
const younger = claimant('alpha', '2026-01-02T00:00:00Z');
const nobody = () => false;

describe('of several objects that ask for one user name', () => {
  it.each([
    ['the older holds it where none may keep the role', [younger, older], undefined, 'zeta'],
    ['who may keep the role holds it, though younger', [older, younger], 'alpha', 'alpha'],
    ['the name decides between two of one second', [claimant('b'), claimant('a')], undefined, 'a'],
    ['nobody holds what nobody asks for', [], 'alpha', undefined],
  ])('%s', (_sentence, claimants, keeper, expected) => {
    expect(holderOf(claimants, ({ metadata }) => metadata.name === keeper)?.metadata.name).toBe(expected);
  });

  it('the same one holds it in whatever order they are found', () => {
    const any = fc.record({
      name: fc.constantFrom('a', 'b', 'c-d', 'c'),
      namespace: fc.constantFrom('x', 'x-y', 'y'),
      second: fc.integer({ min: 10, max: 12 }),
    });
    fc.assert(
      fc.property(
        fc.uniqueArray(any, { minLength: 1, selector: ({ name, namespace }) => `${namespace}/${name}` }),
        (all) => {
          const claimants = all.map((one) =>
            claimant(one.name, `2026-01-01T00:00:${one.second}Z`, one.namespace),
          );
          const expected = holderOf(claimants, nobody)?.metadata.uid;
          expect(holderOf(claimants.toReversed(), nobody)?.metadata.uid).toBe(expected);
          const eldest = Math.min(...all.map(({ second }) => second));
          expect(holderOf(claimants, nobody)?.metadata.creationTimestamp).toContain(`:${eldest}Z`);
        },
      ),
    );
  });

  it('age is one order: never both before each other', () => {
    expect([byAge(older, younger), byAge(younger, older)]).toEqual([-1, 1]);
  });
});
