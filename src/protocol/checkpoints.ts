/**
 * Named places between two steps that belong together, where a process may die: a test kills it there. In production
 * nobody listens.
 */

/** Passed in where state changes; called with the place that has just been reached. */
export type Checkpoint = (place: string) => void;

export const noCheckpoint: Checkpoint = () => undefined;
