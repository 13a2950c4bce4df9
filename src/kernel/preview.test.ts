import { describe, expect, it } from 'vitest';
import type { Resource } from './converge.ts';
import { Failure } from './failure.ts';
import { preview } from './preview.ts';

const never = new AbortController().signal;
const no = new Failure('conflict', 'RoleNotOurs', 'It is not ours.');

/** A set of letters that is to hold others; what is written is noted. */
function letters(is: string, refuses = false) {
  const writes: string[] = [];
  const resource: Resource<string, string, string> = {
    observe: () => Promise.resolve(is),
    plan: (desired, observed) =>
      refuses ? { refused: no } : desired.split('').filter((letter) => !observed.includes(letter)),
    describe: (letter) => [`add ${letter}`],
    apply: (changes) => {
      writes.push(...changes);
      return Promise.resolve(undefined);
    },
  };
  return { resource, writes };
}

describe('a preview', () => {
  it.each<[string, string, string, string | undefined, readonly string[]]>([
    ['tells each change', 'a', 'abc', undefined, ['add b', 'add c']],
    ['is empty where the wish holds', 'abc', 'abc', undefined, []],
    ['leaves out what others bring anyway', 'a', 'abc', 'ab', ['add c']],
  ])('%s, and changes nothing', async (_sentence, is, desired, without, lines) => {
    const { resource, writes } = letters(is);
    expect(await preview(resource, desired, never, without)).toEqual({ lines });
    expect(writes).toEqual([]);
  });

  it('tells why it cannot be done', async () => {
    expect(await preview(letters('', true).resource, 'a', never)).toEqual({ lines: [], failure: no });
  });

  it('tells a failure of looking, and of telling', async () => {
    const { resource } = letters('');
    const broken = { ...resource, observe: () => Promise.reject(no) };
    expect(await preview(broken, 'a', never)).toEqual({ lines: [], failure: no });
    const mute = { ...resource, describe: () => raise(new Error('x')) };
    expect((await preview(mute, 'a', never)).failure).toMatchObject({ reason: 'InternalError' });
  });
});

const raise = (error: Error): never => {
  throw error;
};
