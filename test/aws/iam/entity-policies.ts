// Managed policies attached to users and groups: only as much as whoever takes a policy away from them needs.
import type { Action } from '../action.ts';
import { noSuchEntity } from '../errors.ts';
import type { Parameters } from '../query.ts';
import { type IamAccount, iamArn } from './account.ts';
import { type Identity, type IamState, policyOf, withGroup, withUser } from './state.ts';
import { entityName, policyArn } from './validation.ts';

interface Kind {
  readonly name: 'User' | 'Group';
  readonly all: (state: IamState) => ReadonlyMap<string, Identity>;
  readonly put: (state: IamState, identity: Identity) => IamState;
}

const kinds: readonly Kind[] = [
  { name: 'User', all: ({ users }) => users, put: withUser },
  { name: 'Group', all: ({ groups }) => groups, put: withGroup },
];

export function entityPolicyActions(account: IamAccount): Record<string, Action> {
  return Object.fromEntries(
    kinds.flatMap((kind) => [
      [
        `Attach${kind.name}Policy`,
        action(account, kind, 'Attach', (state, identity, arn) => {
          policyOf(state, arn);
          return [...new Set([...identity.attached, arn])];
        }),
      ],
      [
        `Detach${kind.name}Policy`,
        action(account, kind, 'Detach', (_, identity, arn) => {
          if (!identity.attached.includes(arn)) throw noSuchEntity(`Policy ${arn} was not found.`);
          return identity.attached.filter((other) => other !== arn);
        }),
      ],
    ]),
  );
}

function action(
  account: IamAccount,
  { name: kind, all, put }: Kind,
  verb: 'Attach' | 'Detach',
  next: (state: IamState, identity: Identity, arn: string) => readonly string[],
): Action {
  const nameOf = (parameters: Parameters) => entityName(parameters, `${kind}Name`, 128);
  const find = (state: IamState, name: string) => all(state).get(name.toLowerCase());
  return {
    writes: true,
    parameters: [`${kind}Name`, 'PolicyArn'],
    asks: (parameters) => {
      const name = nameOf(parameters);
      const found = find(account.history.latest(), name);
      return [
        {
          action: `iam:${verb}${kind}Policy`,
          resource: found?.arn ?? iamArn(account, kind.toLowerCase(), '/', name),
          described: `${kind.toLowerCase()} ${name}`,
          context: new Map([['iam:policyarn', [policyArn(parameters)]]]),
        },
      ];
    },
    run: (parameters) => {
      const name = nameOf(parameters);
      account.history.change((state) => {
        const identity = find(state, name);
        if (identity === undefined) {
          throw noSuchEntity(`The ${kind.toLowerCase()} with name ${name} cannot be found.`);
        }
        return put(state, { ...identity, attached: next(state, identity, policyArn(parameters)) });
      });
      return undefined;
    },
  };
}
