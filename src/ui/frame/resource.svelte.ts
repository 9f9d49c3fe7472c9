/** Something that the party knows, read when it is first needed and again whenever there may be something new. */
import { untrack } from 'svelte';
import { live } from './live.svelte.ts';
import { messageOf, Refused, request, Unreachable } from './request.ts';

export interface Resource<T> {
  /** What was read last; undefined before the first answer, and when the path is another. */
  readonly value: T | undefined;
  /** Why there is none, where the party has said so. */
  readonly failure: string | undefined;
}

export interface ResourceOptions {
  /** Whether it never changes: it is read once. */
  readonly isFixed?: boolean;
  /** Whether another path is another part of the same: what was read last stays until the answer is there. */
  readonly isPart?: boolean;
}

/** After an answer a party is left alone for so many times as long as it took to make, at most for so many milliseconds. */
const rest = { times: 3, most: 5000 } as const;

class Reading<T> implements Resource<T> {
  value: T | undefined = $state.raw();
  failure: string | undefined = $state();
  readonly #options: ResourceOptions;
  #path: string | undefined;
  #version = -1;
  #stop: AbortController | undefined;
  /** Whether there was something new while an answer was under way. */
  #isStale = false;

  constructor(options: ResourceOptions) {
    this.#options = options;
  }

  /**
   * Only one question is under way at a time: a party that takes its time is heard out.
   *
   * @param version another one than before: what was read may be out of date
   */
  want(path: string | undefined, version: number): void {
    if (path === this.#path && (version === this.#version || this.#isDone())) return;
    this.#version = version;
    if (path !== this.#path) {
      this.leave();
      this.#path = path;
      if (this.#options.isPart !== true) this.value = undefined;
      this.failure = undefined;
    }
    if (path === undefined) return;
    if (this.#stop === undefined) void this.#read(path);
    else this.#isStale = true;
  }

  leave(): void {
    this.#stop?.abort();
    this.#stop = undefined;
    this.#isStale = false;
  }

  async #read(path: string): Promise<void> {
    const stop = new AbortController();
    const { signal } = stop;
    const isOver = (): boolean => signal.aborted;
    this.#stop = stop;
    do {
      this.#isStale = false;
      const began = performance.now();
      try {
        const read = await request<T>(path, { signal });
        if (isOver()) return;
        this.value = read;
        this.failure = undefined;
      } catch (error) {
        if (isOver()) return;
        // A party that is away, or has trouble, says nothing about what it knows: what was read last stays.
        const isAway = error instanceof Unreachable || (error instanceof Refused && error.status >= 500);
        if (!isAway || (this.value === undefined && !(error instanceof Unreachable))) {
          this.failure = messageOf(error);
          this.value = undefined;
        }
      }
      await pause(Math.min(rest.times * (performance.now() - began), rest.most));
      if (isOver()) return;
    } while (this.#isWanted());
    this.#stop = undefined;
  }

  #isWanted(): boolean {
    return this.#isStale && !this.#isDone();
  }

  #isDone(): boolean {
    return this.#options.isFixed === true && (this.value !== undefined || this.failure !== undefined);
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });
}

/**
 * To be called while a component is made.
 *
 * @param path where it is read, undefined: nowhere for now; a function, so that it may change
 */
export function resource<T>(path: () => string | undefined, options: ResourceOptions = {}): Resource<T> {
  const reading = new Reading<T>(options);
  $effect(() => {
    const { version } = live;
    const from = path();
    untrack(() => {
      reading.want(from, version);
    });
  });
  $effect(() => () => {
    reading.leave();
  });
  return reading;
}
