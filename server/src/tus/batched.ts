/**
 * Turns many calls that come at the same time into few queries: what is asked for while a query is under way waits for
 * it and goes together in the next. A call that comes alone is not delayed.
 *
 * @param run - answers all items at once, in their order
 * @param most - items of one query
 */
export function batched<Item, Result>(
  run: (items: readonly Item[]) => Promise<readonly Result[]>,
  most = 100,
): (item: Item) => Promise<Result> {
  interface Waiting {
    item: Item;
    resolve(result: Result): void;
    reject(error: unknown): void;
  }
  let waiting: Waiting[] = [];
  let running = false;
  let lastSize = 0;

  async function runAll(): Promise<void> {
    while (waiting.length > 0) {
      const batch = waiting.slice(0, most);
      lastSize = batch.length;
      waiting = waiting.slice(most);
      try {
        const results = await run(batch.map(({ item }) => item));
        for (const [i, { resolve }] of batch.entries()) resolve(results[i] as Result);
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    running = false;
  }

  return (item) =>
    new Promise((resolve, reject) => {
      waiting.push({ item, resolve, reject });
      if (running) return;
      running = true;
      // Where there is company, those that come in the same turn of the event loop go together.
      if (lastSize > 1) setImmediate(runAll);
      else void runAll();
    });
}
