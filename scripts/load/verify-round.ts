/** Whether a round under load ended in what it should have, by everything that was signed, tagged and encrypted. */
import { isDeepStrictEqual } from 'node:util';
import type { WeightedVector } from '../../src/encoding/contribution.ts';
import { createDecryptor } from '../../src/paillier/decryptor.ts';
import { ciphertextBytes } from '../../src/paillier/public-key.ts';
import { openVector } from '../../src/pipeline.ts';
import { sha256, verifyManifest } from '../../src/protocol/manifest.ts';
import type { ContributionStatement, RoundView, SignedReceipt } from '../../src/protocol/round-messages.ts';
import { verifyObject } from '../../src/protocol/signed.ts';
import { checkTags } from '../../src/protocol/tags.ts';
import type { Cohort } from './cohort.ts';
import type { LoadJob } from './job.ts';

export interface EndedRound {
  readonly view: RoundView;
  readonly aggregate: Uint8Array;
  /** What was sent, and what was answered to it. */
  readonly receipts: readonly { readonly sent: ContributionStatement; readonly received: SignedReceipt }[];
}

/**
 * Throws unless every owner has a receipt for what it sent, the manifest names exactly these contributions, and the aggregate is
 * the one of the manifest and opens to the exact sum.
 */
export function verifyRound(
  cohort: Cohort,
  job: LoadJob,
  sum: WeightedVector,
  { view, aggregate, receipts }: EndedRound,
): void {
  const { parties, facilitator, owners } = cohort;
  const { plan, keys, round, tagContext, tagKeys } = job;
  const { manifest: signed } = view;
  if (view.status !== 'closed' || signed === undefined) throw new Error(`the round is ${view.status}`);
  const signer = { name: facilitator.name, role: 'facilitator' } as const;
  for (const { sent, received } of receipts) {
    verifyObject(parties, signer, 'receipt', received.receipt, received.signature);
    if (!isDeepStrictEqual(received.receipt, sent))
      throw new Error(`the receipt of ${sent.owner} is for something else`);
  }
  const bytes = plan.ciphertexts * ciphertextBytes(keys.publicKey);
  const contributors = verifyManifest(parties, facilitator.name, round, bytes, signed);
  const { contributions, aggregate_digest } = signed.manifest;
  const named = new Map(contributions.map(({ owner, digest }) => [owner, digest]));
  for (const { sent } of receipts)
    if (named.get(sent.owner) !== sent.digest) throw new Error(`the manifest lacks what ${sent.owner} has sent`);
  if (contributors.length !== owners.length || receipts.length !== owners.length)
    throw new Error(`${contributors.length} contributed and ${receipts.length} have a receipt, of ${owners.length}`);
  if (sha256(aggregate) !== aggregate_digest) throw new Error('the aggregate is not the one of the manifest');
  const opened = openVector(plan, createDecryptor(keys.privateKey), aggregate, contributors.length, (sums) => {
    checkTags(sums, tagKeys, tagContext);
  });
  if (opened.weight !== sum.weight) throw new Error('the sum is wrong: the weight');
  const wrong = sum.values.findIndex((value, index) => opened.values[index] !== value);
  if (wrong !== -1 || opened.values.length !== sum.values.length) throw new Error(`the sum is wrong: value ${wrong}`);
}
