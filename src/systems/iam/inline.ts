// Inline policies of roles: IAM lists them nowhere, so each is read by name, and held against what we wrote ourselves.
import { DeleteRolePolicyCommand, GetRolePolicyCommand, PutRolePolicyCommand } from '@aws-sdk/client-iam';
import { Failure } from '../../kernel/failure.ts';
import type { PolicyPort } from '../../resources/policy/port.ts';
import type { Calls } from './calls.ts';
import type { Clock } from './clock.ts';

export interface InlineSettings {
  /** How old an answer may be. */
  readonly freshMs: number;
  /** How long IAM may take to show what was written. */
  readonly settleMs: number;
  /** How old it may be where nothing speaks for a change. */
  readonly lookAgainMs: number;
}

interface Known {
  /** As it was written, plain; undefined: there is none. */
  readonly document: string | undefined;
  readonly at: number;
}

type Inline = Pick<PolicyPort, 'inline' | 'putInline' | 'deleteInline'>;

export function createInline(calls: Calls, settings: InlineSettings, clock: Clock): Inline {
  const read = new Map<string, Known>();
  const written = new Map<string, Known>();
  const keyOf = (roleName: string, name: string) => `${roleName.toLowerCase()}/${name}`;

  const write = async (key: string, document: string | undefined, send: () => Promise<unknown>) => {
    read.delete(key);
    // If it fails nobody knows how it left the policy: then the next look alone tells.
    written.delete(key);
    await send();
    written.set(key, { document, at: clock.now() });
  };

  return {
    inline: async (roleName, name, age, signal) => {
      const key = keyOf(roleName, name);
      const known = read.get(key);
      const maxAgeMs = age === 'fresh' ? settings.freshMs : settings.lookAgainMs;
      if (known !== undefined && clock.now() - known.at < maxAgeMs) return known.document;
      const at = clock.now();
      const answer = await calls.read(
        'GetRolePolicy',
        signal,
        (client, options) =>
          client.send(new GetRolePolicyCommand({ RoleName: roleName, PolicyName: name }), options),
        { NoSuchEntity: () => undefined },
      );
      const document = plain(answer?.PolicyDocument);
      const ours = written.get(key);
      // What was written meanwhile may be overwritten by what an older answer makes us believe.
      if (ours !== undefined && document !== ours.document && at - ours.at < settings.settleMs)
        throw notYet(roleName);
      read.set(key, { document, at });
      return document;
    },

    putInline: async (roleName, name, document, signal) => {
      await write(keyOf(roleName, name), document, () =>
        calls.write('PutRolePolicy', signal, (client, options) =>
          client.send(
            new PutRolePolicyCommand({ RoleName: roleName, PolicyName: name, PolicyDocument: document }),
            options,
          ),
        ),
      );
    },

    deleteInline: async (roleName, name, signal) => {
      await write(keyOf(roleName, name), undefined, () =>
        calls.write(
          'DeleteRolePolicy',
          signal,
          (client, options) =>
            client.send(new DeleteRolePolicyCommand({ RoleName: roleName, PolicyName: name }), options),
          { NoSuchEntity: () => undefined },
        ),
      );
    },
  };
}

/** IAM gives documents URL-encoded. */
function plain(text: string | undefined): string | undefined {
  if (text === undefined || text.trimStart().startsWith('{')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    // Somebody else's text: read as a document that allows nothing.
    return text;
  }
}

function notYet(roleName: string): Failure {
  return new Failure(
    'unavailable',
    'NotVisibleYet',
    `IAM does not show the inline policy of ${roleName} as it was written yet; the operator looks again.`,
  );
}
