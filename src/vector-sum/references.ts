/** How callers of the library name a job and a round: by themselves, or by what the controller gave them. */
import { SealsumError } from '../errors.ts';
import { type JobId, jobIdSchema, roundNumberSchema } from '../protocol/identifiers.ts';

/** A job by its name, or as the controller has it. */
export type JobReference = string | { readonly id: string };
/** A round by its number from 1, or as the controller has it. */
export type RoundReference = number | { readonly number: number };

/** @throws SealsumError message_invalid */
export function jobName(job: JobReference): JobId {
  const parsed = jobIdSchema.safeParse(typeof job === 'string' ? job : job.id);
  if (parsed.success) return parsed.data;
  throw new SealsumError('message_invalid', 'job: expected the name of a job', { field: 'job' });
}

/** @throws SealsumError round_unknown */
export function roundNumber(round: RoundReference): number {
  const parsed = roundNumberSchema.safeParse(typeof round === 'number' ? round : round.number);
  if (parsed.success) return parsed.data;
  throw new SealsumError('round_unknown', 'round: expected the number of a round, counted from 1', { field: 'round' });
}
