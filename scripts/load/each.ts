/** Does something with each item, with so many at a time at most. */
export async function each<T>(limit: number, items: Iterable<T>, work: (item: T) => Promise<void>): Promise<void> {
  const queue = items[Symbol.iterator]();
  let failed = false;
  const turn = async (): Promise<void> => {
    try {
      for (let next = queue.next(); next.done !== true && !failed; next = queue.next()) await work(next.value);
    } catch (error) {
      failed = true;
      throw error;
    }
  };
  await Promise.all(Array.from({ length: limit }, turn));
}
