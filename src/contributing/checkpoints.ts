/** The places between two steps of a data owner where its process may die, in the order in which they are reached. */
import type { Checkpoint } from '../protocol/checkpoints.ts';

/** All of them. */
export const dataOwnerCheckpoints = [
  'data-owner.connected',
  'data-owner.job-read',
  'data-owner.job-verified',
  'data-owner.key-verified',
  'data-owner.records-read',
  'data-owner.question-kept',
  'data-owner.approval-kept',
  'data-owner.participation-restored',
  'data-owner.acceptance-kept',
  'data-owner.refusal-kept',
  'data-owner.answer-given',
  'data-owner.caught-up',
  'data-owner.round-read',
  'data-owner.round-checked',
  'data-owner.round-charged',
  'data-owner.contribution-sealed',
  'data-owner.contribution-kept',
  'data-owner.contribution-sent',
  'data-owner.receipt-verified',
  'data-owner.receipt-kept',
  'data-owner.contribution-forgotten',
  'data-owner.withdrawal-kept',
  'data-owner.job-over',
  'data-owner.end-kept',
  'data-owner.old-jobs-forgotten',
] as const;

export type DataOwnerCheckpoint = (typeof dataOwnerCheckpoints)[number];

/** A checkpoint that takes the places of this party only. */
export type DataOwnerProgress = (place: DataOwnerCheckpoint) => ReturnType<Checkpoint>;
