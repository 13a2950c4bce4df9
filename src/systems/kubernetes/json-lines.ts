// A watch's stream cut into lines, each parsed, with a bound on how much of one line is kept.
import { noAnswer } from './kube-error.ts';

const LINE_FEED = 0x0a;

/**
 * The parsed lines of a stream of bytes. A line above `maxBytes` is an error: nothing the API server sends is that long. An
 * unfinished line at the end is dropped, because the stream was cut in the middle of an event, which will be told again.
 */
export async function* jsonLines(
  chunks: AsyncIterable<Uint8Array>,
  maxBytes: number,
): AsyncGenerator<unknown, void, undefined> {
  let pieces: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(LINE_FEED); end !== -1; end = chunk.indexOf(LINE_FEED, start)) {
      pieces.push(chunk.subarray(start, end));
      const line = Buffer.concat(pieces).toString('utf8');
      pieces = [];
      length = 0;
      start = end + 1;
      if (line.trim() !== '') yield parseLine(line);
    }
    if (start < chunk.length) {
      pieces.push(chunk.subarray(start));
      length += chunk.length - start;
    }
    if (length > maxBytes) {
      throw noAnswer(`the watch sent a line above ${maxBytes} bytes`, 'MalformedAnswer');
    }
  }
}

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    throw noAnswer('the watch sent a line that is not JSON', 'MalformedAnswer', cause);
  }
}
