// Tags of managed policies.
import type { Action } from '../action.ts';
import { askPolicy, type IamAccount, page, pagingParameters, requestTagContext } from './account.ts';
import { changeablePolicy } from './policies.ts';
import { policyOf, withPolicy } from './state.ts';
import { mergeTags, policyArn, removeTags, tags } from './validation.ts';

export function policyTagActions(account: IamAccount): Record<string, Action> {
  const { history } = account;
  return {
    TagPolicy: {
      writes: true,
      parameters: ['PolicyArn', 'Tags'],
      asks: (parameters) => [
        askPolicy(account, 'TagPolicy', policyArn(parameters), requestTagContext(tags(parameters))),
      ],
      run: (parameters) => {
        const arn = policyArn(parameters);
        history.change((state) => {
          const policy = changeablePolicy(state, arn);
          return withPolicy(state, { ...policy, tags: mergeTags(policy.tags, tags(parameters)) });
        });
        return undefined;
      },
    },

    UntagPolicy: {
      writes: true,
      parameters: ['PolicyArn', 'TagKeys'],
      asks: (parameters) => [
        askPolicy(
          account,
          'UntagPolicy',
          policyArn(parameters),
          new Map([['aws:tagkeys', parameters.texts('TagKeys')]]),
        ),
      ],
      run: (parameters) => {
        const arn = policyArn(parameters);
        history.change((state) => {
          const policy = changeablePolicy(state, arn);
          return withPolicy(state, { ...policy, tags: removeTags(policy.tags, parameters.texts('TagKeys')) });
        });
        return undefined;
      },
    },

    ListPolicyTags: {
      writes: false,
      parameters: ['PolicyArn', ...pagingParameters],
      asks: (parameters) => [askPolicy(account, 'ListPolicyTags', policyArn(parameters))],
      run: (parameters) =>
        page(
          account,
          parameters,
          [...policyOf(history.visible(), policyArn(parameters)).tags],
          ([key]) => key,
          'Tags',
          ([key, value]) => ({ Key: key, Value: value }),
        ),
    },
  };
}
