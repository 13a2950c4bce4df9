import { describe, expect, it } from 'vitest';
import { ConfigError, readConfig, settings } from './config.ts';

const told = (args: readonly string[], env: Readonly<Record<string, string>> = {}) => {
  try {
    readConfig(args, env);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return 'nothing';
};

describe('a setting is', () => {
  it('its default where nothing is said', () => {
    const config = readConfig([], {});
    const defaults = Object.entries(settings).map(([name, setting]) => [name, setting.default]);
    expect(config).toEqual({ ...Object.fromEntries(defaults), namespace: 'iamdb-system' });
  });

  it.each([
    ['an argument', ['--workers=3'], {}, 3],
    ['an environment variable', [], { IAMDB_WORKERS: '5' }, 5],
    ['the argument where both say something', ['--workers=3'], { IAMDB_WORKERS: '5' }, 3],
    ['the last argument of two', ['--workers=3', '--workers=4'], {}, 4],
  ])('%s', (_sentence, args, env, expected) => {
    expect(readConfig(args, env).workers).toBe(expected);
  });

  it('true by its name alone, and false when told', () => {
    expect(readConfig(['--allow-local-addresses'], {})['allow-local-addresses']).toBe(true);
    expect(readConfig(['--leader-elect=false'], {})['leader-elect']).toBe(false);
  });

  it('whatever stands after the first equals sign', () => {
    const url = 'https://mirror.example/a=b';
    expect(readConfig([`--trust-store-url=${url}`], {})['trust-store-url']).toBe(url);
  });

  it('a number with a fraction where that makes sense', () => {
    expect(readConfig(['--time-scale=0.05'], {})['time-scale']).toBe(0.05);
    expect(readConfig(['--iam-writes-per-second=0'], {})['iam-writes-per-second']).toBe(0);
  });

  it('empty where that is its meaning', () => {
    expect(readConfig(['--listen-address='], {})['listen-address']).toBe('');
    expect(readConfig([], { IAMDB_OPERATOR_ID: '' })['operator-id']).toBe('');
  });

  it.each([
    ['as told', ['--namespace=a'], { POD_NAMESPACE: 'b' }, 'a'],
    ["the pod's own", [], { POD_NAMESPACE: 'b' }, 'b'],
    ['iamdb-system outside of pods', [], {}, 'iamdb-system'],
  ])('the namespace: %s', (_sentence, args, env, expected) => {
    expect(readConfig(args, env).namespace).toBe(expected);
  });
});

describe('the operator does not start with', () => {
  it.each<[string, string[], string]>([
    ['a name that it does not know', ['--worker=3'], 'unknown argument --worker=3'],
    ['a name that every object has', ['--constructor'], 'unknown argument --constructor'],
    ['a word that is no setting', ['start'], 'unknown argument start'],
    ['a value that stands apart', ['--workers', '3'], '--workers needs a value'],
    ['a text without a value', ['--operator-id'], '--operator-id needs a value'],
    [
      'a truth value that is neither',
      ['--leader-elect=yes'],
      '--leader-elect takes true or false, not "yes"',
    ],
    ['a number that is none', ['--workers=many'], 'a whole number of 1 or more, not "many"'],
    ['an empty number', ['--workers='], 'a whole number'],
    ['a fraction of a worker', ['--workers=1.5'], 'a whole number'],
    ['a number in other notation', ['--workers=0x10'], 'a whole number'],
    ['no worker at all', ['--workers=0'], 'of 1 or more'],
    ['no connection at all', ['--pool-size=0'], 'of 1 or more'],
    ['fewer than nothing', ['--workers=-1'], 'a whole number'],
    ['time that stands still', ['--time-scale=0'], 'of 0.001 or more'],
    ['endless time', ['--time-scale=Infinity'], 'a number'],
    [
      'an operator id that cannot stand in a label or a path',
      ['--operator-id=Prod/EU'],
      '--operator-id takes at most 63',
    ],
    ['an operator id that is too long', [`--operator-id=${'a'.repeat(64)}`], '--operator-id takes'],
    ['a trust store that is no URL', ['--trust-store-url=mirror'], '--trust-store-url takes an http'],
    [
      'a mount path that is not absolute',
      ['--bundle-mount-path=etc'],
      '--bundle-mount-path takes an absolute path',
    ],
    ['a log level that there is not', ['--log-level=verbose'], '--log-level takes trace'],
    ['an empty log level', ['--log-level='], '--log-level takes trace'],
  ])('%s', (_sentence, args, expected) => {
    expect(told(args)).toContain(expected);
  });

  it('a wrong value in the environment', () => {
    expect(told([], { IAMDB_LEADER_ELECT: '1' })).toContain('--leader-elect takes true or false');
  });

  it('an unknown argument, and is told which settings there are', () => {
    expect(told(['--x=1'])).toContain('workers');
  });
});

it('each setting has a sentence and a place in the chart', () => {
  for (const { sentence, helm } of Object.values(settings)) {
    expect(sentence).toMatch(/\.$/);
    // null: the chart itself decides.
    expect(helm ?? 'chart').toMatch(/^[a-z][A-Za-z.]*$/);
  }
});
