/** Whole rounds measured in every party's process, in the smallest dose. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { suite } from 'uvu';
import { z } from 'zod';
import { ownersMemory } from '../../scripts/demo/party.ts';
import { bundleOf } from '../support/program.ts';
import { type RunningScript, startScript } from './processes.ts';

const test = suite('bench:round');

const figuresSchema = z.strictObject({
  options: z.looseObject({ parameters: z.literal(400), quantization: z.literal(16) }),
  machine: z.record(z.string(), z.union([z.string(), z.number()])),
  rounds: z.literal(2),
  bytes_per_owner_round: z.int(),
  parties: z
    .array(
      z.strictObject({
        party: z.string(),
        seconds_per_round: z.number().nonnegative(),
        seconds: z.number().positive(),
        peak_bytes: z.number().min(30e6),
      }),
    )
    .length(5),
});

/** Starts what scripts/bench-round.sh does, bundled where the runner of the tests has done that. */
function start(args: readonly string[]): RunningScript {
  const bundle = bundleOf('scripts/bench-round.ts');
  return bundle === undefined
    ? startScript('scripts/bench-round.sh', args)
    : startScript(process.execPath, [bundle, ...args]);
}

test('tells what every party takes for a round, with the backend that was asked for', async () => {
  const args = ['--parameters', '400', '--quantization', '16', '--backend', 'bigint', '--json'];
  await using running = start(args);
  const { code, output, complaint } = await running.ended;
  assert.equal(code, 0, complaint);
  const { parties, bytes_per_owner_round: bytes } = figuresSchema.parse(JSON.parse(output));
  assert.deepEqual(
    parties.map(({ party }) => party),
    ['facilitator', 'owner-1', 'owner-2', 'owner-3', 'model-owner'],
  );
  // 404 slots of 16 bits and the sum of three, 94 to 110 a ciphertext.
  assert.ok(bytes % 512 === 0 && bytes <= 5 * 512, String(bytes));
  for (const { seconds, seconds_per_round: each } of parties) assert.ok(2 * each <= seconds, JSON.stringify(parties));
});

test('data owners have the memory settings that operators start them with', async () => {
  const script = await readFile(new URL('../../scripts/run_data_owner.sh', import.meta.url), 'utf8');
  const exported = [...script.matchAll(/^export (\w+)="\$\{\1:-(\w+)\}"$/gm)].map(([, name, value]) => [name, value]);
  assert.deepEqual(Object.fromEntries(exported), ownersMemory);
  assert.equal(exported.length, 3);
});

test('refuses what cannot be in one line', async () => {
  for (const args of [
    ['--parameters', '1'],
    ['--quantisation', '16'],
  ]) {
    await using running = start(args);
    const { code, complaint } = await running.ended;
    assert.equal(code, 1);
    assert.match(complaint, /^bench:round: .*\n$/);
  }
  // As it is delivered.
  await using running = startScript('scripts/bench-round.sh', ['--rounds', '1']);
  const { code, complaint } = await running.ended;
  assert.equal(code, 1);
  assert.match(complaint, /^bench:round: .*\n$/);
});

test.run();
