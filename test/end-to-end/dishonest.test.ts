/** A facilitator that lies, between honest parties over real sockets: whatever it changes, somebody refuses it by name. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import type { ModelView } from '../../parties/model-owner/views.ts';
import { encodeParameters } from '../../src/protocol/parameters.ts';
import { dealtOut, linearSample } from './data.ts';
import { oneKey } from './keys.ts';
import { type Lies, lying } from './lies.ts';
import { createCast, startConsortium, startFacilitator, trainOver } from './parties.ts';

const test = suite('a dishonest facilitator end to end');

const newKey = await oneKey();
const sample = linearSample(30);
const document = {
  ...sample.document,
  // Of two ciphertexts.
  training: { solver: 'normal-equations' },
  encryption: { key_bits: 2048 },
  participation: { quorum: 2, deadline_seconds: 600 },
};

async function trainedWith(lies: Lies): Promise<ModelView> {
  const cast = createCast(3);
  await using facilitator = await startFacilitator({ cast, before: lying(cast, lies) });
  await using consortium = await startConsortium({ cast, facilitator, data: dealtOut(sample, 3), newKey });
  return await trainOver(consortium.modelOwner, document);
}

test('as long as it says the truth, what stands before it changes nothing', async () => {
  const view = await trainedWith({
    multiplied: (all) => all,
    manifest: (manifest) => manifest,
    round: (round) => round,
  });
  assert.equal(view.status, 'finished', view.failure?.detail);
  assert.equal(view.last_round?.contributors, 3);
});

const width = 512;

const refused: readonly { lie: string; lies: Lies; code: string; detail: RegExp }[] = [
  {
    lie: 'leaves out a contribution that stands in the manifest',
    lies: { multiplied: (all) => all.slice(1) },
    code: 'tag_mismatch',
    detail: /owner-1's contribution is missing from them/,
  },
  {
    lie: 'multiplies a contribution twice',
    lies: { multiplied: (all) => [...all, ...all.slice(1, 2)] },
    code: 'tag_mismatch',
    detail: /owner-2's contribution is in them twice/,
  },
  {
    lie: 'repeats one contribution in place of another',
    lies: { multiplied: ([first, second]) => [first, second, first].filter((each) => each !== undefined) },
    code: 'tag_mismatch',
    detail: /owner-1's contribution is in them in place of owner-3's/,
  },
  {
    // The last ciphertext has fewer slots, and its tag stands lower; between full ones the tags tell.
    lie: 'swaps two ciphertexts of a contribution',
    lies: {
      multiplied: (all) =>
        all.map((bytes, index) => {
          assert.ok(bytes.length >= 2 * width);
          if (index !== 1) return bytes;
          return Buffer.concat([bytes.subarray(width, 2 * width), bytes.subarray(0, width), bytes.subarray(2 * width)]);
        }),
    },
    code: 'slot_overflow',
    detail: /the last of ciphertext 1, has something left over above it/,
  },
  {
    lie: 'forges a line of the manifest',
    lies: {
      manifest: (manifest) => ({
        ...manifest,
        contributions: manifest.contributions.map((line) =>
          line.owner === 'owner-2' ? { ...line, digest: '0'.repeat(64) } : line,
        ),
      }),
    },
    code: 'signature_invalid',
    detail: /the contribution is not signed by owner-2: the signature does not match/,
  },
  {
    lie: 'leaves an owner out of the manifest and not out of the sum',
    lies: {
      manifest: (manifest) => ({ ...manifest, contributions: manifest.contributions.slice(1), count: 2 }),
    },
    code: 'tag_mismatch',
    detail: /the tags of .* do not match/,
  },
  {
    lie: 'changes the parameters in what the owners are shown',
    lies: {
      round: (view) =>
        view.signed === undefined
          ? view
          : {
              ...view,
              signed: {
                ...view.signed,
                descriptor: { ...view.signed.descriptor, parameters: encodeParameters([1, 2, 3]) },
              },
            },
    },
    code: 'round_abandoned',
    detail: /round 1 was abandoned because the quorum is out of reach/,
  },
];

for (const { lie, lies, code, detail } of refused)
  test(`it ${lie}: refused`, async () => {
    const view = await trainedWith(lies);
    assert.equal(view.status, 'failed');
    assert.equal(view.failure?.code, code, view.failure?.detail);
    assert.match(view.failure.detail, detail);
    assert.equal(view.last_round, undefined);
    if (lies.round === undefined) return;
    for (const { status, reason } of view.owners)
      assert.deepEqual(
        [status, reason],
        ['withdrawn', 'the round is not signed by model-owner: the signature does not match'],
      );
  });

test.run();
