// The small parts below the transport: lines of a stream, and slots.
import { expect, test } from 'vitest';
import { jsonLines } from './json-lines.ts';
import { createSlots } from './slots.ts';

const never = new AbortController().signal;

async function linesOf(chunks: readonly Uint8Array[], maxBytes = 1_000): Promise<unknown[]> {
  async function* stream() {
    yield* chunks;
  }
  const lines: unknown[] = [];
  for await (const line of jsonLines(stream(), maxBytes)) lines.push(line);
  return lines;
}

test('lines are found however the stream is cut, even inside a character', async () => {
  const bytes = Buffer.from('{"name":"ä€😀"}\n\n{"b":2}\n');
  for (let size = 1; size <= bytes.length; size += 1) {
    const chunks: Uint8Array[] = [];
    for (let start = 0; start < bytes.length; start += size) chunks.push(bytes.subarray(start, start + size));
    expect(await linesOf(chunks)).toEqual([{ name: 'ä€😀' }, { b: 2 }]);
  }
});

test('an event that was cut off by the end of the stream is dropped', async () => {
  expect(await linesOf([Buffer.from('{"a":1}\n{"b":')])).toEqual([{ a: 1 }]);
});

test('a line without end is given up at the bound, however much more would come', async () => {
  let sent = 0;
  async function* endless() {
    for (;;) {
      sent += 100;
      yield Buffer.alloc(100, 'x');
    }
  }
  const reading = jsonLines(endless(), 1_000);
  await expect(reading.next()).rejects.toThrow('above 1000 bytes');
  expect(sent).toBe(1_100);
});

test('no more than the given number hold a slot, in the order in which they asked', async () => {
  const slots = createSlots(1);
  const order: string[] = [];
  const release = await slots.take(never);
  const waiting = ['a', 'b'].map(async (name) => {
    const done = await slots.take(never);
    order.push(name);
    done();
  });
  expect(order).toEqual([]);
  release();
  release();
  await Promise.all(waiting);
  expect(order).toEqual(['a', 'b']);
});

test('who gives up waiting does not swallow the slot', async () => {
  const slots = createSlots(1);
  const release = await slots.take(never);
  const leaver = new AbortController();
  const left = slots.take(leaver.signal);
  const patient = slots.take(never);
  leaver.abort(new Error('left'));
  await expect(left).rejects.toThrow('left');
  release();
  expect(await patient).toBeTypeOf('function');
});
