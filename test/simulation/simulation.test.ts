/** That a simulation can fail, since a sum that leaves somebody out is found, and that the same seed gives the same run. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { createChance } from '../../scripts/simulation/chance.ts';
import { createKeyProofs } from '../../scripts/simulation/key-proofs.ts';
import { type SimulationReport, simulate } from '../../scripts/simulation/simulate.ts';
import { createTimeline } from '../../scripts/simulation/timeline.ts';
import { generateKeyPair } from '../../src/paillier/key-generation.ts';
import type { ModulusProof } from '../../src/paillier/modulus-proof.ts';
import { type JobId, jobIdSchema, type PartyId, partyIdSchema } from '../../src/protocol/identifiers.ts';
import type { JobDescriptor } from '../../src/protocol/job-messages.ts';
import { modulusProofContext } from '../../src/protocol/modulus-proof-context.ts';
import { modulusProofSchema } from '../../src/protocol/modulus-proof-schema.ts';
import type { FacilitatorStore } from '../../src/storage/facilitator-store.ts';

const test = suite('simulation');
const keyPair = await generateKeyPair({ bits: 2048 });
const operations = 250;

function run(seed: number, told: string[] = []): Promise<SimulationReport> {
  return simulate({ seed, operations, keyPair, tell: (what) => told.push(what) });
}

test('a facilitator that leaves a contribution out of a product, and says that it is in, is found out', async () => {
  const firsts = new Map<string, Uint8Array>();
  const forgetful = (store: FacilitatorStore): FacilitatorStore => ({
    ...store,
    commit: (change) => {
      const blocks = change.blocks?.map((kept) => {
        const { place, bytes } = kept;
        const round = `${place.job} ${place.round}`;
        if (place.series === 'product:1') firsts.set(round, bytes);
        return place.series === 'product:2' ? { ...kept, bytes: firsts.get(round) ?? bytes } : kept;
      });
      return store.commit(blocks === undefined ? change : { ...change, blocks });
    },
  });
  const { problems } = await simulate({ seed: 5, operations, keyPair, tell: () => undefined, alter: forgetful });
  assert.match(problems[0] ?? 'none', /is not the sum of/);
});

test('the same seed gives the same run', async () => {
  const [first, second]: [string[], string[]] = [[], []];
  const reports = [await run(4, first), await run(4, second)];
  assert.deepEqual(reports[0], reports[1]);
  assert.deepEqual(first, second);
});

test('whoever is killed leaves no timer behind that would keep the process alive', async () => {
  const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  const before = timers();
  const { deaths, problems } = await run(3);
  assert.deepEqual([deaths > 0, problems, timers()], [true, [], before]);
});

test('the proof of a key is good for its job and its model owner, and for no other', async () => {
  const { newKey, checks } = createKeyProofs(keyPair);
  const { signal } = new AbortController();
  const key = await newKey({ bits: 2048, signal });
  const [here, there] = [jobIdSchema.parse('here'), jobIdSchema.parse('there')];
  const [owner, other] = [partyIdSchema.parse('model-owner'), partyIdSchema.parse('other-owner')];
  const proof = modulusProofSchema.parse(await key.prove(modulusProofContext(here, owner), signal));
  await key.prove(modulusProofContext(there, owner), signal);
  const check = (job: JobId, model_owner: PartyId, public_key_proof: ModulusProof): Promise<void> =>
    checks.require({ job, model_owner, public_key_proof } as JobDescriptor, keyPair.publicKey, signal);
  await check(here, owner, proof);
  await assert.rejects(check(there, owner, proof), { code: 'key_invalid' });
  await assert.rejects(check(here, other, proof), { code: 'key_invalid' });
  await assert.rejects(check(here, owner, { ...proof, w: proof.w.replace(/^A/, 'B') }), { code: 'key_invalid' });
});

test('what is drawn follows from the seed, and parts apart do not disturb each other', () => {
  const draw = (between: number): number[] => {
    const chance = createChance(7);
    const part = chance.apart();
    for (let index = 0; index < between; index++) part.next();
    return Array.from({ length: 5 }, () => chance.between(0, 1000));
  };
  assert.deepEqual(draw(0), draw(100));
  const other = createChance(8);
  assert.notDeepEqual(
    draw(0),
    Array.from({ length: 5 }, () => other.between(0, 1000)),
  );
});

test('happenings come in the order of their time, and none for who is dead', async () => {
  const timeline = createTimeline(1000);
  const seen: string[] = [];
  let alive = true;
  const clock = timeline.clockFor(() => alive);
  timeline.schedule(20, () => seen.push(`second at ${timeline.now()}`));
  clock.after(10, () => {
    seen.push(`first at ${clock.now()}`);
    alive = false;
  });
  clock.after(30, () => seen.push('never'));
  timeline.schedule(20, () => seen.push('third'))();
  while (await timeline.step());
  assert.deepEqual(seen, ['first at 1010', 'second at 1020']);
});

test.run();
