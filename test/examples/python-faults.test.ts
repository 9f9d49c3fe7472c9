/** What examples/python refuses, by name and to whom, and how it goes on where it was killed. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { suite } from 'uvu';
import type { ModelView } from '../../parties/model-owner/views.ts';
import { createPlan } from '../../src/encoding/plan.ts';
import { parseModel } from '../../src/learning/model.ts';
import { publicKeyToJwk } from '../../src/paillier/public-key.ts';
import { type JobId, jobIdSchema } from '../../src/protocol/identifiers.ts';
import { type JobDescriptor, jobViewSchema, type OwnerView, type SignedJob } from '../../src/protocol/job-messages.ts';
import { modulusProofContext } from '../../src/protocol/modulus-proof-context.ts';
import { signedReceiptSchema } from '../../src/protocol/round-messages.ts';
import { canonicalDigest, signObject } from '../../src/protocol/signed.ts';
import { createTagSecret } from '../../src/protocol/tags.ts';
import { noiseToWire, termsOf } from '../../src/protocol/terms.ts';
import { planToWire } from '../../src/protocol/wire-plan.ts';
import { type Cast, clientOf, createCast, Folder, over, patience, postModel } from '../end-to-end/parties.ts';
import { until } from '../support/until.ts';
import { environment, example, type RunningPython, startPython, writeOwnerFiles } from './python-owner.ts';
import { type App, createWorld, forPython, gradient, linear, newKey, type World } from './python-world.ts';

const test = suite('examples/python: refusals and restarts');
const { signal } = new AbortController();
const contributed = /\/rounds\/([0-9]+)\/contributions\/owner-2$/;
const bare = { ...linear, training: gradient };
const withRho = (rho: number, more: object = {}): object => ({ ...bare, privacy: { rho, clip: 2, ...more } });

/** A job that is as it should be but for what `change` makes of it, signed all the same. */
async function signedJob(
  { modelOwner, facilitator, owners }: Cast,
  job: JobId,
  document: object,
  { change = (descriptor) => descriptor, proven = false }: Craft,
): Promise<SignedJob> {
  const model = parseModel(document);
  const terms = termsOf(model, owners.length);
  const key = await newKey({ bits: 2048, signal });
  const sent = JSON.parse(JSON.stringify(model)) as Record<string, unknown>;
  const { quorum, deadline_seconds } = model.participation;
  const sound: JobDescriptor = {
    job,
    model_owner: modelOwner.name,
    facilitator: facilitator.name,
    model: sent,
    model_hash: canonicalDigest(sent),
    public_key: publicKeyToJwk(key.keyPair.publicKey),
    public_key_proof: proven ? await key.prove(modulusProofContext(job, modelOwner.name), signal) : proofOfAnother,
    tag_key: createTagSecret(modelOwner.derive('tags')).publicKey,
    plan: planToWire(terms.plan),
    roster: owners.map(({ name }) => name) as unknown as JobDescriptor['roster'],
    quorum,
    deadline_seconds,
    noise: noiseToWire(model, terms),
  };
  const descriptor = change(sound);
  return { descriptor, signature: signObject(modelOwner, 'job', descriptor) };
}

interface Craft {
  readonly change?: (descriptor: JobDescriptor) => JobDescriptor;
  /** Whether the proof of the key is one for this job: it takes long, and most refusals come before it. */
  readonly proven?: boolean;
}

const anyKey = await newKey({ bits: 2048, signal });
const proofOfAnother = await anyKey.prove(Buffer.from('another job'), signal);

function modelWith(descriptor: JobDescriptor, changes: object): JobDescriptor {
  const model = { ...descriptor.model, ...changes };
  return { ...descriptor, model, model_hash: canonicalDigest(model) };
}

/** Slots that are one bit wider than they need to be. */
function widened(descriptor: JobDescriptor): JobDescriptor {
  const { plan } = termsOf(parseModel(descriptor.model), descriptor.roster.length);
  return { ...descriptor, plan: planToWire(createPlan({ ...plan, slotBits: plan.slotBits + 1 })) };
}

/** Half the noise, and said so: ρ is what such noise gives. */
function quieter(descriptor: JobDescriptor): JobDescriptor {
  const { noise } = descriptor;
  assert.ok(noise !== null);
  const variance = BigInt(noise.variance) / 2n;
  const [over, under] = [2n ** 40n, 2n * variance];
  const divisor = greatestCommonDivisor(over, under);
  const rho_per_round = { numerator: String(over / divisor), denominator: String(under / divisor) };
  return { ...descriptor, noise: { ...noise, variance: String(variance), rho_per_round } };
}

function greatestCommonDivisor(a: bigint, b: bigint): bigint {
  return b === 0n ? a : greatestCommonDivisor(b, a % b);
}

/** What owner-2 answers to a job that is proposed to it. */
async function answerTo(world: World, name: string, document: object, craft: Craft = {}): Promise<OwnerView> {
  const job = jobIdSchema.parse(name);
  const client = clientOf(world.cast.modelOwner, world.facilitator.url);
  await client.createJob(await signedJob(world.cast, job, document, craft), signal);
  let view: OwnerView | undefined;
  const answered = async (): Promise<boolean> => {
    view = (await client.job(job, signal)).owners.find(({ owner }) => owner === 'owner-2');
    return view !== undefined && view.status !== 'invited';
  };
  await until(`the answer to ${name}`, answered, patience);
  assert.ok(view !== undefined);
  return view;
}

const narrow = {
  ...bare,
  data_props: {
    features: [{ name: 'age', type: 'continuous', range: [0, 50] }],
    target: { name: 'outcome', range: [0, 100] },
  },
};

const beyond = {
  ...bare,
  data_props: {
    features: [{ name: 'age', type: 'continuous', range: [0, 50], within: [0, 100] }],
    target: { name: 'outcome', range: [0, 100] },
  },
};

const refused: readonly { name: string; document: object; craft?: Craft; reason: RegExp }[] = [
  { name: 'wide-slots', document: bare, craft: { change: widened }, reason: /^plan: .* in slot_bits/ },
  { name: 'unproven-key', document: bare, reason: /^public_key_proof\./ },
  { name: 'little-noise', document: withRho(1), craft: { change: quieter }, reason: /^noise: it is too little/ },
  {
    name: 'noise-in-shares',
    document: withRho(1, { place: 'data-owners' }),
    reason: /^privacy\.place: this owner adds no noise/,
  },
  {
    name: 'unknown-field',
    document: bare,
    craft: { change: (descriptor) => modelWith(descriptor, { surprise: 1 }) },
    reason: /^model\.surprise: unknown field/,
  },
  {
    name: 'frozen',
    document: { ...bare, training: { ...gradient, freeze: ['ward'] } },
    reason: /^training\.freeze: this owner sends the gradient of every coefficient/,
  },
  {
    name: 'held-out',
    document: { ...bare, training: { ...gradient, validation: {} } },
    reason: /^training\.validation: this owner holds no records out/,
  },
  {
    name: 'folds',
    document: { ...bare, training: { solver: 'normal-equations', cross_validation: {} } },
    reason: /^training\.cross_validation: this owner divides no records/,
  },
  {
    name: 'encrypted-parameters',
    document: { ...bare, model_visibility: 'encrypted', training: gradient },
    reason: /^model_visibility: this owner computes on no encrypted parameters/,
  },
  {
    name: 'beyond-range',
    document: beyond,
    reason: /^data_props\.features\[0\]\.within: this owner takes no value beyond its range/,
  },
  {
    name: 'statistics',
    document: bare,
    craft: { change: (descriptor) => modelWith(descriptor, { model_type: 'STATISTICS' }) },
    reason: /^model_type: this owner takes part in no statistics of columns/,
  },
  {
    name: 'vector-sum',
    document: bare,
    craft: { change: (descriptor) => modelWith(descriptor, { model_type: 'VECTOR_SUM' }) },
    reason: /^model_type: this owner takes part in no sums of vectors/,
  },
  {
    name: 'another-quorum',
    document: bare,
    craft: { change: (descriptor) => ({ ...descriptor, deadline_seconds: 1 }) },
    reason: /^quorum, deadline_seconds: they are not those of the model/,
  },
  // Nobody else reads of a line or a value.
  {
    name: 'narrow-range',
    document: narrow,
    craft: { proven: true },
    reason: /^the data do not fit the model \(age\); the owner knows the line$/,
  },
];

/** Changes one descriptor on its way to whoever asks for it, and acknowledges other bytes than owner-2 has sent. */
const lying =
  (cast: () => Cast) =>
  (app: App): App =>
  async (request) => {
    const response = await app(request);
    if (!response.ok) return response;
    if (request.method === 'GET' && request.url.endsWith('/jobs/tampered')) {
      const view = jobViewSchema.parse(await response.json());
      const descriptor = { ...view.descriptor, tag_key: createTagSecret(new Uint8Array(32).fill(7)).publicKey };
      return Response.json({ ...view, descriptor });
    }
    if (!contributed.test(request.url)) return response;
    const { receipt } = signedReceiptSchema.parse(await response.json());
    const other = { ...receipt, digest: '0'.repeat(64) };
    return Response.json({ receipt: other, signature: signObject(cast().facilitator, 'receipt', other) });
  };

async function training({ modelOwner: url }: World): Promise<() => Promise<ModelView>> {
  const id = await postModel({ url }, bare);
  return () => over({ url }, id);
}

forPython(test, (python) => {
  test('refuses what is not as it must be, tells why, takes part in the rest, and withdraws from it', async () => {
    await using world = await createWorld({ before: lying(() => world.cast) });
    await using running = startPython(python, world.files);
    await running.said(/following the facilitator/);
    for (const { name, document, craft, reason } of refused) {
      const { status, reason: told = '' } = await answerTo(world, name, document, craft);
      assert.equal(status, 'refused', name);
      assert.match(told, reason, name);
    }
    assert.match(running.log(), /line \d+, age: expected a number within \[0, 50\]/);
    const client = clientOf(world.cast.modelOwner, world.facilitator.url);
    await client.createJob(await signedJob(world.cast, 'tampered' as JobId, bare, {}), signal);
    await running.said(/job tampered: refused: the job is not signed by model-owner: the signature does not match/);

    const finished = await training(world);
    await running.said(/job \S+: ready, with 20 records/);
    await running.said(/withdrawn: the receipt for round 1 is one for another contribution/);
    const view = await finished();
    assert.equal(view.status, 'failed');
    assert.equal(view.owners.find(({ owner }) => owner === 'owner-2')?.status, 'withdrawn');
  });

  test('keeps to its budget', async () => {
    await using world = await createWorld({ alone: true });
    await using running = startPython(python, world.files, ['--rho-total', '0.5', '--least-quorum', '2']);
    await running.said(/following the facilitator/);
    assert.match(
      (await answerTo(world, 'bare', bare)).reason ?? '',
      /no differential privacy, and this owner has a budget/,
    );
    assert.match((await answerTo(world, 'dear', withRho(0.6))).reason ?? '', /more than the rho_total of 0\.5/);
    assert.equal((await answerTo(world, 'fair', withRho(0.5), { proven: true })).status, 'ready', running.log());
  });

  test('killed before its contribution is taken, and after, it sends the same bytes again', async () => {
    let running: RunningPython | undefined;
    const sent = new Map<number, (string | null)[]>();
    await using world = await createWorld({
      before: (app) => async (request) => {
        const round = Number(contributed.exec(request.url)?.[1] ?? 0);
        if (round === 0) return app(request);
        const digests = sent.get(round) ?? [];
        sent.set(round, [...digests, request.headers.get('content-digest')]);
        const first = digests.length === 0;
        if (round === 2 && first) running?.kill();
        const response = round === 2 && first ? new Response(undefined, { status: 503 }) : await app(request);
        if (round === 4 && first) running?.kill();
        return response;
      },
    });
    running = startPython(python, world.files);
    try {
      await running.said(/following the facilitator/);
      const finished = await training(world);
      for (const round of [2, 4]) {
        await running.ended;
        assert.equal(sent.size, round);
        running = startPython(python, world.files);
      }
      const view = await finished();
      assert.equal(view.status, 'finished', `${view.failure?.detail ?? ''}\n${running.log()}`);
      assert.equal(view.last_round?.contributors, 2);
      const repeated = [...sent].map(([round, digests]) => [round, digests.length, new Set(digests).size]);
      assert.deepEqual(repeated, [
        [1, 1, 1],
        [2, 2, 1],
        [3, 1, 1],
        [4, 2, 1],
        [5, 1, 1],
      ]);
    } finally {
      await running[Symbol.asyncDispose]();
    }
  });

  test('what it cannot start without is named, with the mend', async () => {
    const script = join(example, 'sealsum_owner.py');
    const bareOfModules = spawnSync(python, ['-S', script, '--help'], { encoding: 'utf8', env: environment });
    assert.equal(bareOfModules.status, 1);
    assert.match(bareOfModules.stderr, /this needs numpy and cryptography .* apt-get install python3-numpy/);
    await using folder = await Folder.create();
    const files = await writeOwnerFiles(folder, createCast(2), {
      name: 'owner-2',
      data: '',
      url: 'http://127.0.0.1:1',
    });
    await using running = startPython(python, { ...files, passphrase: files.roster });
    assert.equal(await running.ended, 1);
    assert.match(running.log(), /identity\.json: the passphrase does not open it, or the file was changed/);
  });
});

test.run();
