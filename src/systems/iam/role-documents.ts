// All policy documents of a role that somebody else keeps: read seldom, and shared by all who ask.
import {
  GetPolicyCommand,
  GetPolicyVersionCommand,
  GetRoleCommand,
  GetRolePolicyCommand,
  ListAttachedRolePoliciesCommand,
  ListRolePoliciesCommand,
} from '@aws-sdk/client-iam';
import type { RoleDocuments } from '../../resources/access/role-rights.ts';
import { sharedLook } from '../rds/shared-look.ts';
import type { Calls } from './calls.ts';
import type { Clock } from './clock.ts';

export interface RoleReader {
  /** Undefined for a role that does not exist. */
  roleDocuments(roleARN: string, signal: AbortSignal): Promise<RoleDocuments | undefined>;
}

export function createRoleReader(
  calls: Calls,
  timing: { readonly lookMs: number; readonly requestTimeoutMs: number },
  clock: Clock,
): RoleReader {
  const { lookMs: keepMs, requestTimeoutMs } = timing;
  // Several calls, each of which may have to wait for its turn.
  const timeoutMs = 10 * requestTimeoutMs;
  const looks = sharedLook<RoleDocuments | undefined>({ keepMs, timeoutMs, now: () => clock.now() });
  /** The last version seen of each policy, which never changes. */
  const versions = new Map<string, { readonly version: string; readonly document: string }>();

  const managed = async (policyARN: string, signal: AbortSignal): Promise<string> => {
    const { Policy } = await calls.read('GetPolicy', signal, (client, options) =>
      client.send(new GetPolicyCommand({ PolicyArn: policyARN }), options),
    );
    const versionID = Policy?.DefaultVersionId ?? 'v1';
    const version = `${Policy?.PolicyId} ${versionID}`;
    const known = versions.get(policyARN);
    if (known?.version === version) return known.document;
    const { PolicyVersion } = await calls.read('GetPolicyVersion', signal, (client, options) =>
      client.send(new GetPolicyVersionCommand({ PolicyArn: policyARN, VersionId: versionID }), options),
    );
    const document = PolicyVersion?.Document ?? '';
    versions.set(policyARN, { version, document });
    return document;
  };

  const inline = async (roleName: string, name: string, signal: AbortSignal): Promise<string> => {
    const { PolicyDocument = '' } = await calls.read('GetRolePolicy', signal, (client, options) =>
      client.send(new GetRolePolicyCommand({ RoleName: roleName, PolicyName: name }), options),
    );
    return PolicyDocument;
  };

  const read = async (roleARN: string, signal: AbortSignal): Promise<RoleDocuments | undefined> => {
    const roleName = roleARN.slice(roleARN.lastIndexOf('/') + 1);
    const found = await calls.read(
      'GetRole',
      signal,
      (client, options) => client.send(new GetRoleCommand({ RoleName: roleName }), options),
      { NoSuchEntity: () => undefined },
    );
    // The same name at another path is another role.
    if (found?.Role?.Arn !== roleARN) return undefined;
    const [attached, names] = await Promise.all([
      listAttached(calls, roleName, signal),
      listInline(calls, roleName, signal),
    ]);
    const boundaryARN = found.Role.PermissionsBoundary?.PermissionsBoundaryArn;
    const [identity, boundary] = await Promise.all([
      Promise.all([
        ...attached.map(async (policyARN) => await managed(policyARN, signal)),
        ...names.map(async (name) => await inline(roleName, name, signal)),
      ]),
      boundaryARN === undefined ? undefined : managed(boundaryARN, signal),
    ]);
    return { identity, boundary };
  };

  return {
    roleDocuments: async (roleARN, signal) =>
      (await looks(roleARN, async (until) => await read(roleARN, until), signal)).value,
  };
}

async function listAttached(calls: Calls, roleName: string, signal: AbortSignal): Promise<readonly string[]> {
  const all: string[] = [];
  let marker: string | undefined;
  do {
    const page = await calls.read('ListAttachedRolePolicies', signal, (client, options) =>
      client.send(new ListAttachedRolePoliciesCommand({ RoleName: roleName, Marker: marker }), options),
    );
    all.push(...(page.AttachedPolicies ?? []).flatMap(({ PolicyArn }) => PolicyArn ?? []));
    marker = page.IsTruncated === true ? page.Marker : undefined;
  } while (marker !== undefined);
  return all;
}

async function listInline(calls: Calls, roleName: string, signal: AbortSignal): Promise<readonly string[]> {
  const all: string[] = [];
  let marker: string | undefined;
  do {
    const page = await calls.read('ListRolePolicies', signal, (client, options) =>
      client.send(new ListRolePoliciesCommand({ RoleName: roleName, Marker: marker }), options),
    );
    all.push(...(page.PolicyNames ?? []));
    marker = page.IsTruncated === true ? page.Marker : undefined;
  } while (marker !== undefined);
  return all;
}
