/** The places between two steps of a training where a model owner may die and nothing be lost, in the order of a training. */

export const modelOwnerCheckpoints = [
  // A model is posted.
  'model-owner.start.checked',
  'model-owner.start.committed',
  // Its job is proposed.
  'model-owner.keys.generated',
  'model-owner.keys.proven',
  'model-owner.proposal.signed',
  'model-owner.proposal.committed',
  'model-owner.proposal.sent',
  'model-owner.proposal.answered',
  'model-owner.owners.noted',
  'model-owner.owners.gathered',
  // One round after the other.
  'model-owner.round.signed',
  'model-owner.round.committed',
  'model-owner.round.sent',
  'model-owner.round.ended',
  'model-owner.aggregate.fetched',
  'model-owner.manifest.verified',
  'model-owner.opening.committed',
  'model-owner.sum.decrypted',
  'model-owner.sum.absorbed',
  'model-owner.sum.committed',
  // The training ends.
  'model-owner.end.decided',
  'model-owner.end.committed',
  'model-owner.end.told',
  'model-owner.end.forgotten',
  // A training goes on after a restart.
  'model-owner.resume.begun',
  'model-owner.resume.committed',
  'model-owner.resume.adopted',
  // A model is deleted.
  'model-owner.removal.stopped',
  'model-owner.removal.committed',
] as const;

export type ModelOwnerCheckpoint = (typeof modelOwnerCheckpoints)[number];

/** Says that a place has been reached. */
export type Reach = (place: ModelOwnerCheckpoint) => void;
