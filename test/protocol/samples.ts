/** A job, its answers and a round of it, signed by those who say it: what the tests of messages begin with. */
import { createPlan } from '../../src/encoding/plan.ts';
import { testOnlyGenerateKeyPair } from '../../src/paillier/key-generation.ts';
import { proveModulus } from '../../src/paillier/modulus-prover.ts';
import { publicKeyToJwk } from '../../src/paillier/public-key.ts';
import { type JobId, type OwnerId, ownerIdSchema } from '../../src/protocol/identifiers.ts';
import type { Identity } from '../../src/protocol/identity.ts';
import type { JobDescriptor, SignedAnswer, SignedJob } from '../../src/protocol/job-messages.ts';
import { contributionStatement, sha256 } from '../../src/protocol/manifest.ts';
import { encodeParameters } from '../../src/protocol/parameters.ts';
import { createParties, type Parties } from '../../src/protocol/parties.ts';
import type { AcceptedContribution } from '../../src/protocol/round.ts';
import type { Manifest, SignedManifest, SignedReceipt, SignedRound } from '../../src/protocol/round-messages.ts';
import { canonicalDigest, objectDigest, signObject } from '../../src/protocol/signed.ts';
import { createTagSecret } from '../../src/protocol/tags.ts';
import { planToWire } from '../../src/protocol/wire-plan.ts';
import { testIdentity } from '../support/identities.ts';

export const facilitator: Identity = testIdentity('relay', 'facilitator');
export const modelOwner: Identity = testIdentity('clinic', 'model-owner');
export const anna: Identity = testIdentity('anna', 'data-owner');
export const bert: Identity = testIdentity('bert', 'data-owner');
export const cora: Identity = testIdentity('cora', 'data-owner');
export const ownerIdentities: readonly Identity[] = [anna, bert, cora];
export const parties: Parties = createParties([facilitator, modelOwner, ...ownerIdentities]);

export const ownerOf = ({ name }: Identity): OwnerId => ownerIdSchema.parse(name);
const roster = ownerIdentities.map(ownerOf);
const job = 'job' as JobId;

const keys = await testOnlyGenerateKeyPair({ bits: 512 });
const model = { model_type: 'LINEAR_REGRESSION', remarks: ['ä', 1e-7, null, { deep: true }] };
const tagKey = createTagSecret(modelOwner.derive('tags of the samples')).publicKey;

export const descriptor: JobDescriptor = {
  job,
  model_owner: modelOwner.name,
  facilitator: facilitator.name,
  model,
  model_hash: canonicalDigest(model),
  public_key: publicKeyToJwk(keys.publicKey),
  public_key_proof: await proveModulus(keys.privateKey, Buffer.from('the samples')),
  tag_key: tagKey,
  plan: planToWire(
    createPlan({
      keyBits: 2048,
      length: 60,
      owners: 3,
      maxWeight: 1000n,
      valueBound: 1n << 20n,
      scale: 1024,
      tags: true,
    }),
  ),
  roster,
  quorum: 2,
  deadline_seconds: 0.5,
  noise: {
    place: 'model-owner',
    unit: 'record',
    neighbours: 'zero-out',
    variance: '12',
    rho_per_round: { numerator: '1', denominator: '40' },
    rounds: 3,
  },
};
export const jobDigest: string = objectDigest('job', descriptor);
export const signedJob: SignedJob = { descriptor, signature: signObject(modelOwner, 'job', descriptor) };

const answer = { job, owner: ownerOf(anna), job_digest: jobDigest, status: 'ready', tag_key: tagKey } as const;
export const signedAnswer: SignedAnswer = { answer, signature: signObject(anna, 'answer', answer) };

const roundDescriptor = {
  job,
  round: 2,
  job_digest: jobDigest,
  model_hash: descriptor.model_hash,
  roster,
  quorum: 2,
  deadline_seconds: 0.5,
  parameters: encodeParameters([0.5, -1e-9, 0]),
};
export const signedRound: SignedRound = {
  descriptor: roundDescriptor,
  signature: signObject(modelOwner, 'round', roundDescriptor),
};
export const roundDigest: string = objectDigest('round', roundDescriptor);

/** Bytes of every contribution to the round. */
export const bytes = 1024;

/** What an owner contributed to the round, which it signed. */
export function contributionOf(identity: Identity, round: SignedRound = signedRound): AcceptedContribution {
  const owner = ownerOf(identity);
  const said = { owner, digest: sha256(Buffer.from(`of ${owner}`)), bytes };
  const statement = contributionStatement(round, objectDigest('round', round.descriptor), said);
  return { ...said, signature: signObject(identity, 'contribution', statement) };
}

/** A manifest of the round as the facilitator signs it, after a test has changed it. */
export function manifestWith(changes: Partial<Manifest> = {}): SignedManifest {
  const contributions = changes.contributions ?? ownerIdentities.map((identity) => contributionOf(identity));
  const manifest = {
    job,
    round: 2,
    job_digest: jobDigest,
    round_digest: roundDigest,
    model_hash: descriptor.model_hash,
    contributions,
    count: contributions.length,
    aggregate_digest: sha256(Buffer.from('aggregate')),
    ...changes,
  };
  return { manifest, signature: signObject(facilitator, 'manifest', manifest) };
}

/** The facilitator's receipt for an owner's contribution to the round. */
export function receiptFor(identity: Identity): SignedReceipt {
  const receipt = contributionStatement(signedRound, roundDigest, contributionOf(identity));
  return { receipt, signature: signObject(facilitator, 'receipt', receipt) };
}
