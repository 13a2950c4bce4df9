// What the log advises about an API server that refuses or does not answer.
import { expect, test } from 'vitest';
import { errorFromAnswer, noAnswer } from './kube-error.ts';
import { remedyFor } from './remedy.ts';

const server = 'https://api.test:6443';
const answer = (status: number) => errorFromAnswer(status, { kind: 'Status', message: 'no' }, undefined);

test.each([
  [noAnswer('none', 'ConnectionFailed'), `The API server at ${server} does not answer`],
  [noAnswer('none', 'Timeout'), `The API server at ${server} does not answer`],
  [noAnswer('none', 'NoCredentials'), "check the ServiceAccount's token"],
  [answer(401), "check the ServiceAccount's token"],
  [answer(403), 'the ClusterRole and the Role of the Helm chart'],
  [new Error('what a pass makes of it', { cause: answer(403) }), 'the ClusterRole and the Role'],
  [answer(404), 'kubectl apply --server-side -f crds/'],
])('%s is given a remedy', (error, says) => {
  expect(remedyFor(error, server)).toContain(says);
});

const gone = errorFromAnswer(404, { kind: 'Status', details: { name: 'checkout' } }, undefined);

test.each([answer(409), answer(410), answer(429), answer(503), gone, new Error('ours')])(
  '%s needs nobody, or nobody who reads this',
  (error) => {
    expect(remedyFor(error, server)).toBeUndefined();
  },
);
