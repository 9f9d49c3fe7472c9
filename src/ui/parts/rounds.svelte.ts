/** The rounds of a job or a model in parts, the newest first. */
import { type Resource, resource } from '../frame/resource.svelte.ts';
import { number } from './words.ts';

/** Those that are shown, and what Pages says and does. */
export interface RoundPages<T> extends Resource<readonly T[]> {
  readonly shown: string;
  readonly newer: (() => void) | undefined;
  readonly older: (() => void) | undefined;
}

/**
 * To be called while a component is made.
 *
 * @param base the address of what the rounds are of
 * @param most rounds at a time
 * @param newest the number of the newest
 */
export function roundPages<T extends { readonly round: number }>(
  base: () => string,
  most: number,
  newest: () => number,
): RoundPages<T> {
  /** The round before which the shown ones are; undefined: the newest ones. */
  let before: number | undefined = $state();
  const read = resource<{ readonly rounds: readonly T[] }>(
    () => `${base()}/rounds?limit=${most}${before === undefined ? '' : `&before=${before}`}`,
    { isPart: true },
  );
  const first = $derived(read.value?.rounds.at(-1)?.round ?? 0);
  const last = $derived(read.value?.rounds[0]?.round ?? 0);
  return {
    get value() {
      return read.value?.rounds;
    },
    get failure() {
      return read.failure;
    },
    get shown() {
      return `Rounds ${number(first)} to ${number(last)} of ${number(newest())}`;
    },
    get newer() {
      if (before === undefined) return undefined;
      return () => {
        const next = last + most + 1;
        before = next > newest() ? undefined : next;
      };
    },
    get older() {
      if (first <= 1) return undefined;
      return () => {
        before = first;
      };
    },
  };
}
