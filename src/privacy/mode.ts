/** What a job chooses about its privacy besides how much of it: who adds the noise, and between what it hides the difference. */

/** Who adds the noise: after decryption, under encryption for all, or each owner a share of it. */
export type NoisePlace = 'model-owner' | 'facilitator' | 'data-owners';

/** Whose data are hidden: one record, or one data owner with all of its records. */
export type PrivacyUnit = 'record' | 'owner';

/** What differs between neighbours: one unit's vector is replaced by zeros, or by any other. */
export type Neighbours = 'zero-out' | 'substitution';

export interface PrivacyMode {
  readonly place: NoisePlace;
  readonly unit: PrivacyUnit;
  readonly neighbours: Neighbours;
  /** With which probability a unit takes part in a round, by a coin that its owner tosses for it alone; in (0, 1]. */
  readonly sampling: number;
  /** Contributors that are taken to add no noise, or to have told theirs; 0 unless the place is `data-owners`. */
  readonly silent_owners: number;
}
