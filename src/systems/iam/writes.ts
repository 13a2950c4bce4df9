// What is written to IAM, and what is remembered of it until IAM shows it.
import {
  AttachRolePolicyCommand,
  CreatePolicyCommand,
  CreatePolicyVersionCommand,
  DeletePolicyCommand,
  DeletePolicyVersionCommand,
  DetachGroupPolicyCommand,
  DetachRolePolicyCommand,
  DetachUserPolicyCommand,
  GetPolicyCommand,
  type Tag,
  TagPolicyCommand,
} from '@aws-sdk/client-iam';
import type { Tags } from '../../resources/policy/names.ts';
import type { Entity } from '../../resources/policy/policy.ts';
import type { PolicyPort } from '../../resources/policy/port.ts';
import type { Calls } from './calls.ts';
import type { Clock } from './clock.ts';
import type { Listings } from './listings.ts';
import type { KnownPolicy, Memory } from './memory.ts';
import type { Left } from './own-writes.ts';

type Writes = Pick<PolicyPort, 'create' | 'attach' | 'detach' | 'write' | 'deleteVersion' | 'delete' | 'tag'>;

/** `settleMs`: how long IAM may take to show what was written. */
export function createWrites(
  calls: Calls,
  memory: Memory,
  { ownWrites, nextOrder }: Listings,
  settleMs: number,
  clock: Clock,
): Writes {
  /** When CreatePolicy first said that a name is taken. */
  const takenSince = new Map<string, number>();

  const leave = (policyARN: string, news: Partial<Left>): void => {
    const before = ownWrites.pending(policyARN);
    const base = before?.exists === true ? before : nothingKnown;
    ownWrites.leave(policyARN, { ...base, exists: true, ...news }, nextOrder());
  };

  /** Runs a write. If it fails, nobody knows how it left the policy: what could have changed is forgotten. */
  const change = async (
    policyARN: string,
    doubt: Partial<Record<keyof Left, undefined>>,
    send: () => Promise<unknown>,
  ): Promise<void> => {
    try {
      await send();
    } catch (thrown) {
      const known = memory.find(policyARN);
      if (known !== undefined) {
        known.versions = undefined;
        known.entities = undefined;
      }
      leave(policyARN, doubt);
      throw thrown;
    }
  };

  const attached = (policyARN: string, next: (before: readonly Entity[]) => readonly Entity[]): void => {
    const known = memory.find(policyARN);
    if (known?.entities === undefined) return leave(policyARN, { attachmentCount: undefined });
    const { value, count } = known.entities;
    const entities = next(value);
    const newCount = count + entities.length - value.length;
    // As new as a read: IAM may show it later.
    known.entities = { value: entities, count: newCount, at: clock.now() };
    return leave(policyARN, { attachmentCount: newCount });
  };

  return {
    create: async ({ policyARN, name, path, document, tags }, signal) => {
      const answer = await calls.write(
        'CreatePolicy',
        signal,
        (client, options) =>
          client.send(
            new CreatePolicyCommand({
              PolicyName: name,
              Path: path,
              PolicyDocument: document,
              Description: 'Lets database users log in with IAM tokens. Kept by iamdb-operator.',
              Tags: tagList(tags),
            }),
            options,
          ),
        { EntityAlreadyExists: () => 'taken' as const },
      );
      if (answer === 'taken') {
        const since = takenSince.get(policyARN) ?? clock.now();
        takenSince.set(policyARN, since);
        const pathless = policyARN.replace(path, '/');
        const isStrange = await exists(calls, pathless, signal);
        return isStrange || clock.now() - since >= settleMs ? 'taken' : 'taken-lately';
      }
      takenSince.delete(policyARN);
      const { PolicyId, DefaultVersionId } = answer.Policy ?? {};
      if (PolicyId !== undefined && DefaultVersionId !== undefined) {
        const at = clock.now();
        Object.assign(memory.of({ policyARN, policyID: PolicyId }), {
          tags: { value: tags, at },
          document: { versionID: DefaultVersionId, text: document },
          entities: { value: [], count: 0, at },
          versions: [DefaultVersionId],
        } satisfies Omit<KnownPolicy, 'policyID'>);
      }
      leave(policyARN, { defaultVersionID: DefaultVersionId, attachmentCount: 0 });
      return 'made';
    },

    attach: async (policyARN, roleName, signal) => {
      await change(policyARN, { attachmentCount: undefined }, () =>
        calls.write('AttachRolePolicy', signal, (client, options) =>
          client.send(new AttachRolePolicyCommand({ PolicyArn: policyARN, RoleName: roleName }), options),
        ),
      );
      attached(policyARN, (before) => [
        ...before.filter((other) => !isSame(other, { kind: 'Role', name: roleName })),
        { kind: 'Role', name: roleName },
      ]);
    },

    detach: async (policyARN, entity, signal) => {
      await change(policyARN, { attachmentCount: undefined }, () =>
        sendDetach(calls, policyARN, entity, signal),
      );
      attached(policyARN, (before) => before.filter((other) => !isSame(other, entity)));
    },

    write: async (policyARN, document, signal) => {
      await change(policyARN, { defaultVersionID: undefined }, async () => {
        const answer = await calls.write('CreatePolicyVersion', signal, (client, options) =>
          client.send(
            new CreatePolicyVersionCommand({
              PolicyArn: policyARN,
              PolicyDocument: document,
              SetAsDefault: true,
            }),
            options,
          ),
        );
        const versionID = answer.PolicyVersion?.VersionId;
        const known = memory.find(policyARN);
        if (known !== undefined && versionID !== undefined) {
          known.document = { versionID, text: document };
          known.versions = known.versions && [...known.versions, versionID];
        }
        leave(policyARN, { defaultVersionID: versionID });
      });
    },

    deleteVersion: async (policyARN, versionID, signal) => {
      await change(policyARN, {}, () =>
        calls.write(
          'DeletePolicyVersion',
          signal,
          (client, options) =>
            client.send(
              new DeletePolicyVersionCommand({ PolicyArn: policyARN, VersionId: versionID }),
              options,
            ),
          alreadyGone,
        ),
      );
      const known = memory.find(policyARN);
      if (known !== undefined) known.versions = known.versions?.filter((other) => other !== versionID);
    },

    delete: async (policyARN, signal) => {
      await change(policyARN, { exists: undefined }, () =>
        calls.write(
          'DeletePolicy',
          signal,
          (client, options) => client.send(new DeletePolicyCommand({ PolicyArn: policyARN }), options),
          alreadyGone,
        ),
      );
      memory.forget(policyARN);
      ownWrites.leave(policyARN, { ...nothingKnown, exists: false }, nextOrder());
    },

    tag: async (policyARN, tags, signal) => {
      await change(policyARN, {}, () =>
        calls.write('TagPolicy', signal, (client, options) =>
          client.send(new TagPolicyCommand({ PolicyArn: policyARN, Tags: tagList(tags) }), options),
        ),
      );
      const known = memory.find(policyARN);
      if (known !== undefined) known.tags = undefined;
    },
  };
}

const nothingKnown: Left = { exists: undefined, defaultVersionID: undefined, attachmentCount: undefined };

const alreadyGone = { NoSuchEntity: () => undefined };

function sendDetach(calls: Calls, policyARN: string, entity: Entity, signal: AbortSignal): Promise<unknown> {
  const { kind, name } = entity;
  switch (kind) {
    case 'Role':
      return calls.write(
        'DetachRolePolicy',
        signal,
        (client, options) =>
          client.send(new DetachRolePolicyCommand({ PolicyArn: policyARN, RoleName: name }), options),
        alreadyGone,
      );
    case 'User':
      return calls.write(
        'DetachUserPolicy',
        signal,
        (client, options) =>
          client.send(new DetachUserPolicyCommand({ PolicyArn: policyARN, UserName: name }), options),
        alreadyGone,
      );
    case 'Group':
      return calls.write(
        'DetachGroupPolicy',
        signal,
        (client, options) =>
          client.send(new DetachGroupPolicyCommand({ PolicyArn: policyARN, GroupName: name }), options),
        alreadyGone,
      );
    default:
      return kind satisfies never;
  }
}

/** Whether there is a policy outside our path; not where we may not look, which is as it should be. */
async function exists(calls: Calls, policyARN: string, signal: AbortSignal): Promise<boolean> {
  const answer = await calls.read(
    'GetPolicy',
    signal,
    (client, options) => client.send(new GetPolicyCommand({ PolicyArn: policyARN }), options),
    { NoSuchEntity: () => undefined, AccessDenied: () => undefined },
  );
  return answer !== undefined;
}

const isSame = (a: Entity, b: Entity): boolean =>
  a.kind === b.kind && a.name.toLowerCase() === b.name.toLowerCase();

const tagList = (tags: Tags): Tag[] => Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
