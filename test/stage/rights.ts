// What the operator was granted beside what it asked for, right by right: in Kubernetes from the audit log, in AWS from the judgements.
import { operatorIDPlaceholder, type Rule } from '../../src/systems/permissions.ts';
import { parsePolicy } from '../aws/policy-document.ts';
import { statementApplies } from '../aws/policy-evaluation.ts';
import { type AuditEntry, readAudit } from '../bed/audit.ts';
import { operatorID } from './account.ts';
import { operatorAccount, operatorNamespace } from './cluster.ts';
import type { Stage } from './stage.ts';

/** Rules as they are bound: in one namespace, or in all. */
export interface Bound {
  readonly rules: readonly Rule[];
  readonly namespace?: string;
}

interface Right {
  readonly name: string;
  covers(request: AuditEntry): boolean;
}

const rightsOf = (bound: readonly Bound[]): readonly Right[] =>
  bound.flatMap(({ rules, namespace }) =>
    rules.flatMap(({ apiGroups, resources, resourceNames, verbs }) =>
      apiGroups.flatMap((group) =>
        resources.flatMap((resource) =>
          verbs.map((verb) => rightTo(verb, group, resource, namespace, resourceNames)),
        ),
      ),
    ),
  );

function rightTo(
  verb: string,
  group: string,
  resource: string,
  namespace: string | undefined,
  names: readonly string[] | undefined,
): Right {
  const only = names?.map((name) => name.replace(operatorIDPlaceholder, operatorID));
  const of = (request: AuditEntry) => {
    const { apiGroup = '', resource: kind = '', subresource } = request.objectRef ?? {};
    return `${request.verb} ${kind}${subresource === undefined ? '' : `/${subresource}`} of ${apiGroup || 'core'}`;
  };
  const what = `${verb} ${resource} of ${group || 'core'}`;
  return {
    name: `${what}${only === undefined ? '' : ` named ${only.join()}`} in ${namespace ?? 'all'}`,
    covers: (request) =>
      of(request) === what &&
      (namespace === undefined || request.objectRef?.namespace === namespace) &&
      (only === undefined || only.includes(request.objectRef?.name ?? '')),
  };
}

interface Compared {
  /** Rights that nothing was asked by. */
  readonly unused: readonly string[];
  /** Requests that no right covers. */
  readonly ungranted: readonly string[];
  readonly refused: readonly string[];
}
export const asGranted: Compared = { unused: [], ungranted: [], refused: [] };

export async function compareKubernetes({ bed }: Stage, bound: readonly Bound[]): Promise<Compared> {
  const account = `system:serviceaccount:${operatorNamespace}:${operatorAccount}`;
  const asked = (await readAudit(bed.kube.auditLogFile)).filter(
    ({ user, objectRef, stage }) => user.username === account && objectRef !== undefined && stage !== 'Panic',
  );
  const rights = rightsOf(bound);
  const told = ({ verb, objectRef }: AuditEntry) => `${verb} ${JSON.stringify(objectRef)}`;
  return {
    unused: rights.filter((right) => !asked.some((one) => right.covers(one))).map(({ name }) => name),
    ungranted: asked.filter((one) => !rights.some((right) => right.covers(one))).map(told),
    refused: asked.filter(({ responseStatus }) => responseStatus?.code === 403).map(told),
  };
}

const policyOf = ({ aws }: Stage) =>
  parsePolicy(aws.iamState().roles.get('iamdb-operator')?.inline.get('operator') ?? '');

/** Sids of the policy of the operator's own role. */
export const statementsOf = (stage: Stage) => policyOf(stage).statements.map(({ sid }) => sid);

/** Of the operator's own role. What more than one statement allows is put down to the first of them. */
export function compareAws(stage: Stage): Compared {
  const { aws } = stage;
  const asked = aws.judged.filter(({ principal }) => principal.includes(':assumed-role/iamdb-operator/'));
  const rights = policyOf(stage).statements.flatMap((statement) =>
    statement.actions.patterns.map((action) => ({
      name: `${statement.sid} ${action}`,
      covers: ({ request }: (typeof asked)[number]) =>
        request.action === action && statementApplies(statement, request),
    })),
  );
  const used = new Set(asked.map((one) => rights.find((right) => right.covers(one))));
  const told = ({ request: { action, resource } }: (typeof asked)[number]) => `${action} on ${resource}`;
  return {
    unused: rights.filter((right) => !used.has(right)).map(({ name }) => name),
    ungranted: asked.filter((one) => !rights.some((right) => right.covers(one))).map(told),
    refused: aws.calls
      .filter(({ principal, status }) => principal.includes('/iamdb-operator/') && status === 403)
      .map(({ service, action }) => `${service}:${action}`),
  };
}
