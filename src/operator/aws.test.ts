// Connections to another account live as long as somebody asks for them.
import { afterEach, expect, it, vi } from 'vitest';
import { readConfig } from '../config.ts';
import { createMetrics } from '../ops/metrics.ts';
import { awsSystems } from './aws.ts';

const identity = { arn: 'arn:aws:iam::444455556666:role/iamdb' };
const hourMs = 3_600_000;

afterEach(() => {
  vi.useRealTimers();
});

it('an account that is named no more is given up while only the own one is asked, and made anew when it is named again', () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  const aws = awsSystems({
    config: readConfig([], {}),
    operatorID: 'test',
    mayDial: () => true,
    beforeWrite: () => {},
    requestToken: async () => await Promise.reject(new Error('not asked for')),
    metrics: createMetrics(),
    proxyEnv: {},
    trustCopy: { find: async () => await Promise.resolve(undefined), keep: async () => {} },
    log: {} as never,
  });
  const own = aws.as(undefined);
  const other = aws.as(identity);
  // Each look at everything asks for what is named, every ten minutes.
  vi.advanceTimersByTime(600_000);
  expect(aws.as(identity)).toBe(other);
  expect(aws.facts.quotas(identity)).toBeDefined();

  vi.advanceTimersByTime(hourMs);
  expect(aws.as(undefined)).toBe(own);
  expect(aws.facts.quotas(identity)).toBeUndefined();
  expect(aws.as(identity)).not.toBe(other);
  aws.close();
});
