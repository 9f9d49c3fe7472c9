/** One data owner in one vector sum: accepted as any job, and contributed to with the vector that its program gives. */
import { type AcceptanceDependencies, type Accepted, acceptSum } from '../contributing/acceptance.ts';
import type { Participation } from '../contributing/participation.ts';
import type { WeightedVector } from '../encoding/contribution.ts';
import { SealsumError } from '../errors.ts';
import { sealIntegers } from '../pipeline.ts';
import type { SignedJob } from '../protocol/job-messages.ts';
import { roundDigest } from '../protocol/round-digest.ts';
import { type Expected, readVectorJob, requireExpected, type VectorJob } from './vector-job.ts';

export interface VectorParticipation extends Accepted<VectorJob>, Participation {
  /**
   * The same, contributing this vector.
   *
   * @param roundDigest of the round whose parameters it was computed on, where these were read: it takes no other one
   */
  with(vector: WeightedVector, roundDigest?: string): Participation;
}

/**
 * Accepts a vector sum.
 *
 * @throws SealsumError as acceptSum(), and plan_mismatch where the job is not what was expected
 */
export async function acceptVectorSum(
  signed: SignedJob,
  expected: Expected,
  dependencies: AcceptanceDependencies,
  isKnown: boolean,
): Promise<VectorParticipation> {
  const read: typeof readVectorJob = (document, owners) => {
    const job = readVectorJob(document, owners);
    requireExpected(job.settings, expected);
    return job;
  };
  const accepted = await acceptSum(signed, read, dependencies, isKnown);
  const participation: Participation = {
    ...accepted,
    // There is one vector, whatever is behind it.
    records: 1,
    dropped: 0,
    contribution: () => Promise.reject(new SealsumError('internal', 'a vector is contributed only where one is given')),
  };
  return {
    ...accepted,
    ...participation,
    with: (vector, read) => ({
      ...participation,
      check: (round, view) => {
        const signed = participation.check(round, view);
        if (read !== undefined && roundDigest(signed.descriptor) !== read)
          throw new SealsumError(
            'round_conflict',
            `the model owner has signed another round ${round} than the one whose parameters were read (${read})`,
            { field: 'round' },
          );
        return signed;
      },
      contribution: ({ descriptor: { round } }, roundDigest) =>
        sealIntegers(accepted.sealer, vector, accepted.tags(round, roundDigest)),
    }),
  };
}
