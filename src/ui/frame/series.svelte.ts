/** A long list that only grows, such as a model's rounds: read once, and then what is new. */
import { untrack } from 'svelte';
import { live } from './live.svelte.ts';
import { request } from './request.ts';

/** As many as the party hands out at a time. */
const most = 1000;

class Growing<T> {
  items: readonly T[] = $state.raw([]);
  #base: string | undefined;
  #stop = new AbortController();
  #isReading = false;
  #isStale = false;

  want(base: string | undefined, read: (base: string, signal: AbortSignal) => Promise<readonly T[]>): void {
    if (base !== this.#base) {
      this.leave();
      this.#stop = new AbortController();
      this.#base = base;
      this.items = [];
    }
    if (base === undefined) return;
    if (this.#isReading) this.#isStale = true;
    else void this.#read(base, read);
  }

  leave(): void {
    this.#stop.abort();
    this.#isReading = false;
    this.#isStale = false;
  }

  async #read(base: string, read: (base: string, signal: AbortSignal) => Promise<readonly T[]>): Promise<void> {
    const { signal } = this.#stop;
    this.#isReading = true;
    do {
      this.#isStale = false;
      // A party that does not answer is asked again when the line stands.
      const found = await read(base, signal).catch((): readonly T[] => []);
      if (signal.aborted) return;
      if (found.length > 0) this.items = [...this.items, ...found];
      if (found.length === most) this.#isStale = true;
    } while (this.#isStale);
    this.#isReading = false;
  }
}

/**
 * To be called while a component is made.
 *
 * @param path where the list is, with `after` and `limit` in its query; undefined: nowhere for now
 * @param field of the answer that holds the items
 * @param numberOf that `after` counts by
 */
export function growing<T>(
  path: () => string | undefined,
  field: string,
  numberOf: (item: T) => number,
): { readonly items: readonly T[] } {
  const list = new Growing<T>();
  const read = async (base: string, signal: AbortSignal): Promise<readonly T[]> => {
    const last = list.items.at(-1);
    const after = last === undefined ? 0 : numberOf(last);
    const answer = await request<Record<string, readonly T[]>>(`${base}?after=${after}&limit=${most}`, { signal });
    return answer[field] ?? [];
  };
  $effect(() => {
    const { version } = live;
    const base = path();
    untrack(() => {
      if (version >= 0) list.want(base, read);
    });
  });
  $effect(() => () => {
    list.leave();
  });
  return list;
}
