import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { conditionTypes, reasons } from './conditions.ts';

const folder = join(import.meta.dirname, '..');
const sources = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts') && !/\.test\.ts$|^api.conditions\.ts$/.test(name))
  .map((name) => readFileSync(join(folder, name), 'utf8'))
  .map((text) => text.replaceAll(/^\s*(\/\/|\*|\/\*).*$/gm, ''));

const isGiven = (name: string) => sources.some((text) => text.includes(`'${name}'`));

describe('the list of reasons', () => {
  it('is closed: whatever a Failure is made of is in it', () => {
    const made = sources.flatMap((text) =>
      [...text.matchAll(/new Failure\(\s*'\w+',\s*'(\w+)'/g)].map(([, reason = '']) => reason),
    );
    expect(made.length).toBeGreaterThan(40);
    expect(made.filter((reason) => !Object.hasOwn(reasons, reason))).toEqual([]);
  });

  it('has only what is given somewhere', () => {
    expect(Object.keys(reasons).filter((reason) => !isGiven(reason))).toEqual([]);
  });

  it('says of each in a sentence what it means', () => {
    expect(Object.values(reasons).filter(({ means }) => !/^\S.*\.$/.test(means))).toEqual([]);
  });

  const good = ['Ready', 'Admitted', 'Resolved', 'AsDeclared', 'Verified', 'Rehearsed'];

  it('says of each that is not good what to do about it', () => {
    const silent = Object.entries(reasons).flatMap(([reason, { remedy }]) => (remedy === '' ? [reason] : []));
    expect(silent).toEqual(good);
  });

  it('has names as Kubernetes takes them', () => {
    const names = [...Object.keys(reasons), ...Object.keys(conditionTypes)];
    expect(names.filter((name) => !/^[A-Z][A-Za-z]{1,63}$/.test(name))).toEqual([]);
  });
});

it('each condition is set somewhere', () => {
  const types = Object.keys(conditionTypes);
  expect(types.filter((type) => !sources.some((text) => text.includes(`'${type}'`)))).toEqual([]);
});
