/** A job and its one round as a model owner makes and signs them, and as its owners answer: nothing is left out or made up. */
import { randomUUID } from 'node:crypto';
import { createPlan, LEADING_SLOTS, type Plan } from '../../src/encoding/plan.ts';
import type { KeyPair } from '../../src/paillier/key-generation.ts';
import { proveModulus } from '../../src/paillier/modulus-prover.ts';
import { publicKeyToJwk } from '../../src/paillier/public-key.ts';
import { systemRandom } from '../../src/paillier/random.ts';
import { jobIdSchema, type OwnerId } from '../../src/protocol/identifiers.ts';
import type { JobDescriptor, SignedAnswer, SignedJob } from '../../src/protocol/job-messages.ts';
import { modulusProofContext } from '../../src/protocol/modulus-proof-context.ts';
import type { RoundDescriptor, SignedRound } from '../../src/protocol/round-messages.ts';
import { canonicalDigest, objectDigest, signObject } from '../../src/protocol/signed.ts';
import { createTagSecret, type TagContext, type TagKey } from '../../src/protocol/tags.ts';
import { planToWire } from '../../src/protocol/wire-plan.ts';
import type { Cohort } from './cohort.ts';

/** The greatest |value| of one owner: with a thousand owners a slot takes 40 bits, and 49 fit a ciphertext of 2048 bits. */
export const valueBound: bigint = 2n ** 28n;

export interface LoadJob {
  readonly keys: KeyPair;
  readonly plan: Plan;
  readonly signed: SignedJob;
  readonly round: SignedRound;
  /** Of the round's descriptor. */
  readonly roundDigest: string;
  /** What every owner answers: that it is ready. */
  readonly answers: readonly SignedAnswer[];
  readonly tagContext: TagContext;
  /** What each owner's tags follow from; owner and model owner have agreed on the same. */
  readonly tagKeys: ReadonlyMap<OwnerId, TagKey>;
}

export async function proposeJob(
  cohort: Cohort,
  keys: KeyPair,
  ciphertexts: number,
  signal: AbortSignal,
): Promise<LoadJob> {
  const { modelOwner, owners } = cohort;
  const job = jobIdSchema.parse(`load-${randomUUID()}`);
  const plan = planOf(keys, owners.length, ciphertexts);
  const tagSecret = createTagSecret(systemRandom(32));
  const model = { purpose: 'to measure a facilitator under load' };
  const roster = owners.map(({ name }) => name);
  const descriptor: JobDescriptor = {
    job,
    model_owner: modelOwner.name,
    facilitator: cohort.facilitator.name,
    model,
    model_hash: canonicalDigest(model),
    public_key: publicKeyToJwk(keys.publicKey),
    public_key_proof: await proveModulus(keys.privateKey, modulusProofContext(job, modelOwner.name), { signal }),
    tag_key: tagSecret.publicKey,
    plan: planToWire(plan),
    roster,
    quorum: roster.length,
    deadline_seconds: 3600,
    noise: null,
  };
  const jobDigest = objectDigest('job', descriptor);
  const answers: SignedAnswer[] = [];
  const tagKeys = new Map<OwnerId, TagKey>();
  for (const { name, identity } of owners) {
    const own = createTagSecret(systemRandom(32));
    tagKeys.set(name, own.agree(tagSecret.publicKey, name));
    const answer = { job, owner: name, job_digest: jobDigest, status: 'ready', tag_key: own.publicKey } as const;
    answers.push({ answer, signature: signObject(identity, 'answer', answer) });
  }
  const asked: RoundDescriptor = {
    job,
    round: 1,
    job_digest: jobDigest,
    model_hash: descriptor.model_hash,
    roster,
    quorum: descriptor.quorum,
    deadline_seconds: descriptor.deadline_seconds,
    parameters: '',
  };
  const roundDigest = objectDigest('round', asked);
  return {
    keys,
    plan,
    signed: { descriptor, signature: signObject(modelOwner, 'job', descriptor) },
    round: { descriptor: asked, signature: signObject(modelOwner, 'round', asked) },
    roundDigest,
    answers,
    tagContext: { job: jobDigest, round: 1, roundDigest },
    tagKeys,
  };
}

/** As many values as fill this many ciphertexts. */
function planOf({ publicKey }: KeyPair, owners: number, ciphertexts: number): Plan {
  const request = {
    keyBits: publicKey.n.toString(2).length,
    length: 1,
    owners,
    maxWeight: 1n,
    valueBound,
    scale: 1,
    tags: true,
  };
  const { slotsPerCiphertext } = createPlan(request);
  return createPlan({ ...request, length: ciphertexts * slotsPerCiphertext - LEADING_SLOTS });
}
