// The policies that AWS itself keeps in every account; one, so that lists and attachments meet foreign entries.
import { emptyState, type IamState, withPolicy } from './state.ts';

export function administratorAccess(partition: string): string {
  return `arn:${partition}:iam::aws:policy/AdministratorAccess`;
}

export function initialState(partition: string, createdAt: number): IamState {
  const document = JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }],
  });
  return withPolicy(emptyState, {
    arn: administratorAccess(partition),
    name: 'AdministratorAccess',
    path: '/',
    id: 'ANPAIWMBCKSKIEE64ZLYK',
    description: 'Provides full access to AWS services and resources.',
    tags: new Map(),
    createdAt,
    updatedAt: createdAt,
    defaultVersionId: 'v1',
    nextVersion: 2,
    versions: [{ id: 'v1', document, createdAt }],
  });
}
