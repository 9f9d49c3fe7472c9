/** The places at which a facilitator may be killed by a test: between any two of them it has done something that lasts. */
import type { Checkpoint } from '../../src/protocol/checkpoints.ts';

/** All of them; `before` a commit nothing of the step has happened, `after` it all of it has. */
export const facilitatorCheckpoints = [
  'facilitator.start.uploads-forgotten',
  'facilitator.start.job-resumed',
  'facilitator.job.before-commit',
  'facilitator.job.after-commit',
  'facilitator.job.before-end',
  'facilitator.job.after-end',
  'facilitator.job.idle',
  'facilitator.answer.before-commit',
  'facilitator.answer.after-commit',
  'facilitator.round.before-commit',
  'facilitator.round.after-commit',
  'facilitator.round.deadline',
  'facilitator.round.before-abandonment',
  'facilitator.round.after-abandonment',
  'facilitator.contribution.signature-verified',
  'facilitator.contribution.block-kept',
  'facilitator.contribution.complete',
  'facilitator.contribution.turn',
  'facilitator.contribution.block-folded',
  'facilitator.contribution.before-commit',
  'facilitator.contribution.after-commit',
  'facilitator.contribution.before-answer',
  'facilitator.contribution.upload-forgotten',
  'facilitator.closing.begun',
  'facilitator.closing.noise-kept',
  'facilitator.closing.block-kept',
  'facilitator.closing.manifest-signed',
  'facilitator.closing.after-commit',
  'facilitator.retention.done',
] as const;

export type FacilitatorCheckpoint = (typeof facilitatorCheckpoints)[number];

/** A checkpoint that takes no other name than these. */
export function facilitatorCheckpoint(checkpoint: Checkpoint): (place: FacilitatorCheckpoint) => void {
  return checkpoint;
}
