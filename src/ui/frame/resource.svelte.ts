/** Something that the party knows, read when it is first needed and again whenever there may be something new. */
import { untrack } from 'svelte';
import { live } from './live.svelte.ts';
import { messageOf, Refused, request, Unreachable } from './request.ts';

export interface Resource<T> {
  /** What was read last; undefined before the first answer, and when the path is another. */
  readonly value: T | undefined;
  /** Why there is none, where the party has said so. */
  readonly failure: string | undefined;
  /** Reads it again, now. */
  reload(): void;
}

class Reading<T> implements Resource<T> {
  value: T | undefined = $state.raw();
  failure: string | undefined = $state();
  #path: string | undefined;
  #version = -1;
  #stop: AbortController | undefined;
  /** Whether there was something new while an answer was under way. */
  #isStale = false;

  /**
   * Only one question is under way at a time: a party that takes its time is heard out.
   *
   * @param version another one than before: what was read may be out of date
   */
  want(path: string | undefined, version: number): void {
    if (path === this.#path && version === this.#version) return;
    this.#version = version;
    if (path !== this.#path) {
      this.leave();
      this.#path = path;
      this.value = undefined;
      this.failure = undefined;
    }
    this.reload();
  }

  reload(): void {
    if (this.#path === undefined) return;
    if (this.#stop === undefined) void this.#read(this.#path);
    else this.#isStale = true;
  }

  leave(): void {
    this.#stop?.abort();
    this.#stop = undefined;
    this.#isStale = false;
  }

  async #read(path: string): Promise<void> {
    const stop = new AbortController();
    this.#stop = stop;
    try {
      const read = await request<T>(path, { signal: stop.signal });
      if (stop.signal.aborted) return;
      this.value = read;
      this.failure = undefined;
    } catch (error) {
      if (stop.signal.aborted) return;
      // A party that is away, or has trouble, says nothing about what it knows: what was read last stays.
      const isAway = error instanceof Unreachable || (error instanceof Refused && error.status >= 500);
      if (!isAway || (this.value === undefined && !(error instanceof Unreachable))) {
        this.failure = messageOf(error);
        this.value = undefined;
      }
    }
    this.#stop = undefined;
    if (!this.#isStale) return;
    this.#isStale = false;
    void this.#read(path);
  }
}

/**
 * To be called while a component is made.
 *
 * @param path where it is read, undefined: nowhere for now; a function, so that it may change
 */
export function resource<T>(path: () => string | undefined): Resource<T> {
  const reading = new Reading<T>();
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
