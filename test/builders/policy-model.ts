// The policies of an AWS account held in memory, decided upon by the real plan.
import type { Resource } from '../../src/kernel/converge.ts';
import { asFailure, type Failure } from '../../src/kernel/failure.ts';
import { describePolicy } from '../../src/resources/policy/describe.ts';
import {
  type DesiredInline,
  describeInline,
  type InlineChange,
  inlineDocument,
  type ObservedInline,
  planInline,
  readInline,
} from '../../src/resources/policy/inline/inline.ts';
import { planPolicy } from '../../src/resources/policy/plan.ts';
import {
  type DesiredPolicy,
  fixedQuotas,
  type ObservedPolicies,
  type ObservedShard,
  type PolicyChange,
  type Quotas,
} from '../../src/resources/policy/policy.ts';

type InlineResource = Resource<DesiredInline, ObservedInline, InlineChange>;
type PolicyResource = Resource<DesiredPolicy, ObservedPolicies, PolicyChange>;

export interface PolicyModel {
  readonly resource: PolicyResource;
  readonly inline: InlineResource;
  /** ARNs that the inline policy of the role allows. */
  allowedInline(roleARN: string): readonly string[];
  /** ARNs that the role is allowed to connect to now, whosever they are. */
  allowed(roleARN: string): readonly string[];
  /** Those of them that were let go. */
  released(roleARN: string): readonly string[];
  tags(roleARN: string): Readonly<Record<string, string>>;
  /** Somebody else's hand. */
  detachAll(roleARN: string): void;
  attachAll(roleARN: string): void;
  deleteAll(roleARN: string): void;
  /** IAM roles whose policies hold that user name. */
  rolesHolding(username: string): readonly string[];
  /** IAM roles that do not exist. */
  readonly missing: Set<string>;
  quotas: Quotas;
  /** Thrown by every look at that role, or at any with `*`. */
  readonly broken: Map<string, Failure | Error>;
}

export function policyModel(note: (call: string) => void): PolicyModel {
  const shards = new Map<string, ObservedShard[]>();
  const inline = new Map<string, string>();
  const of = (roleARN: string) => shards.get(roleARN) ?? [];

  const take = (roleARN: string, change: PolicyChange) => {
    const alter = (policyARN: string, to: Partial<ObservedShard>) => {
      shards.set(
        roleARN,
        of(roleARN).map((shard) => (shard.policyARN === policyARN ? { ...shard, ...to } : shard)),
      );
    };
    switch (change.do) {
      case 'create':
        shards.set(roleARN, [
          ...of(roleARN),
          {
            number: change.number,
            policyARN: change.policyARN,
            policyID: `id-${change.number}`,
            tags: change.tags,
            defaultVersionID: 'v1',
            versionIDs: ['v1'],
            arns: change.arns,
            released: [],
            exact: true,
            attached: false,
            others: [],
          },
        ]);
        break;
      case 'attach':
        alter(change.policyARN, { attached: true });
        break;
      case 'write':
        alter(change.policyARN, { arns: change.arns, released: change.released, exact: true });
        break;
      case 'tag':
        alter(change.policyARN, { tags: change.tags });
        break;
      case 'detach':
        alter(change.policyARN, { attached: false });
        break;
      case 'delete':
        shards.set(
          roleARN,
          of(roleARN).filter((shard) => shard.policyARN !== change.policyARN),
        );
        break;
      case 'delete-version':
        break;
      default:
        throw new Error(`the model does not know ${String(change satisfies never)}`);
    }
  };

  const model: PolicyModel = {
    missing: new Set(),
    broken: new Map(),
    quotas: fixedQuotas,
    allowed: (roleARN) =>
      of(roleARN)
        .filter(({ attached }) => attached)
        .flatMap(({ arns, released }) => [...arns, ...released]),
    released: (roleARN) => of(roleARN).flatMap(({ released }) => released),
    tags: (roleARN) => Object.assign({}, ...of(roleARN).map(({ tags }) => tags)) as Record<string, string>,
    rolesHolding: (username) =>
      [...shards].flatMap(([roleARN, all]) =>
        all.some(({ arns }) => arns.some((arn) => arn.endsWith(`/${username}`))) ? [roleARN] : [],
      ),
    deleteAll: (roleARN) => {
      shards.delete(roleARN);
    },
    attachAll: (roleARN) => {
      shards.set(
        roleARN,
        of(roleARN).map((shard) => ({ ...shard, attached: true })),
      );
    },
    detachAll: (roleARN) => {
      shards.set(
        roleARN,
        of(roleARN).map((shard) => ({ ...shard, attached: false })),
      );
    },
    allowedInline: (roleARN) => readInline(inline.get(roleARN)).arns,
    inline: {
      observe: ({ roleARN }) => {
        note(`observe inline policy of ${nameOf(roleARN)}`);
        const broken = model.broken.get('inline');
        if (broken !== undefined) return Promise.reject(asFailure(broken));
        const role = model.missing.has(roleARN)
          ? ({ exists: false } as const)
          : ({ exists: true, attachedPolicies: 0 } as const);
        return Promise.resolve({ ...readInline(inline.get(roleARN)), role });
      },
      plan: planInline,
      describe: describeInline,
      apply: (changes, { roleARN, scope }) => {
        note(`change inline policy of ${nameOf(roleARN)}: ${changes.map((change) => change.do).join(', ')}`);
        for (const change of changes) {
          if (change.do === 'put') inline.set(roleARN, inlineDocument(change, scope));
          else inline.delete(roleARN);
        }
        return Promise.resolve(undefined);
      },
    },
    resource: {
      observe: ({ roleARN }) => {
        note(`observe policies of ${nameOf(roleARN)}`);
        const broken = model.broken.get(roleARN) ?? model.broken.get('*');
        if (broken !== undefined) return Promise.reject(asFailure(broken));
        return Promise.resolve({
          shards: of(roleARN),
          foreign: [],
          role: model.missing.has(roleARN) ? { exists: false } : { exists: true, attachedPolicies: 0 },
          quotas: model.quotas,
        });
      },
      plan: planPolicy,
      describe: describePolicy,
      apply: (changes, { roleARN }) => {
        note(`change policies of ${nameOf(roleARN)}: ${changes.map((change) => change.do).join(', ')}`);
        for (const change of changes) take(roleARN, change);
        return Promise.resolve(undefined);
      },
    },
  };
  return model;
}

const nameOf = (roleARN: string) => roleARN.slice(roleARN.lastIndexOf('/') + 1);
