/** Many integers of any length. */

/** Integers in order: a list of them, or what makes them when they are asked for, so that memory holds few at a time. */
export interface Integers {
  readonly length: number;
  /** Those from one position to before another, or to the end. */
  slice(from: number, to: number): readonly bigint[];
}
