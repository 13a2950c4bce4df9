// Many single questions, one query: gathers what is asked within a few milliseconds.
import type { Question, Row } from '../../resources/role/server.ts';

export interface GatherOptions {
  /** How long to wait for others after the first question. */
  readonly windowMs: number;
  readonly maxItems: number;
  /** Answers with one row `n, answer` for each item, n counting from 1. */
  readonly run: (sql: string, preparation: string) => Promise<readonly Row[]>;
}

interface Gathering {
  readonly items: unknown[];
  readonly answers: PromiseWithResolvers<ReadonlyMap<number, unknown>>;
  readonly window: NodeJS.Timeout;
  /** No more may join once the query is on its way: its answer could be older than their question. */
  send(): void;
}

/** A failed query fails all who asked in it. */
export function gather({ windowMs, maxItems, run }: GatherOptions) {
  const open = new Map<unknown, Gathering>();

  const begin = <Item>(question: Question<Item>): Gathering => {
    const items: Item[] = [];
    const answers = Promise.withResolvers<ReadonlyMap<number, unknown>>();
    // All who asked may have left by the time it fails.
    answers.promise.catch(() => {});
    const send = () => {
      clearTimeout(gathering.window);
      open.delete(question);
      run(question.ask(items), question.preparation).then(
        (rows) => answers.resolve(new Map(rows.map((row) => [Number(row['n']), row['answer']]))),
        answers.reject,
      );
    };
    const gathering: Gathering = { items, answers, window: setTimeout(send, windowMs), send };
    open.set(question, gathering);
    return gathering;
  };

  return async <Item>(question: Question<Item>, item: Item): Promise<unknown> => {
    const gathering = open.get(question) ?? begin(question);
    const n = gathering.items.push(item);
    if (n >= maxItems) gathering.send();
    return (await gathering.answers.promise).get(n);
  };
}
