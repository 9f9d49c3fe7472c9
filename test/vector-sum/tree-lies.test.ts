/** Facilitators of a tree that lie, and a model owner that asks twice: each is found by those whom it would cheat, by name. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { aggregate } from '../../src/paillier/aggregate.ts';
import { createEncryptor, type Encryptor } from '../../src/paillier/encryptor.ts';
import { publicKeyFromJwk } from '../../src/paillier/public-key.ts';
import { sha256 } from '../../src/protocol/manifest.ts';
import type { Manifest, ManifestLine, RoundDescriptor } from '../../src/protocol/round-messages.ts';
import { signObject } from '../../src/protocol/signed.ts';
import type { SumRound, VectorSumJob } from '../../src/vector-sum/vector-sum-job.ts';
import { type Lies, lying } from '../end-to-end/lies.ts';
import { clientOf, type FacilitatorOptions } from '../end-to-end/parties.ts';
import { setTreeStage, type TreeStage, type TreeStageOptions } from './tree-stage.ts';

const test = suite('lies in a tree of facilitators');
const vector = [1, 2, 3];

async function openRound(stage: TreeStage, job: VectorSumJob): Promise<SumRound> {
  await Promise.all(stage.clients.map((client) => client.join(job)));
  return job.startRound();
}

const submitAll = (stage: TreeStage, job: VectorSumJob, round: SumRound) =>
  Promise.all(stage.clients.map((client) => client.submit(job, round, vector)));

/** A leaf that multiplies something else than what it was sent, and signs a manifest of what comes of it. */
function lyingLeaf(
  liar: string,
  multiplied: (all: readonly Buffer[]) => readonly Uint8Array[],
): Partial<TreeStageOptions> {
  const sent = new Map<string, Buffer>();
  let encryptor: Encryptor | undefined;
  let ciphertexts = 0;
  let lie: Uint8Array | undefined;
  const told = (): Uint8Array => {
    assert.ok(encryptor !== undefined);
    lie ??= aggregate(encryptor, ciphertexts, multiplied([...sent].sort().map(([, bytes]) => bytes)));
    return lie;
  };
  const noted: NonNullable<FacilitatorOptions['before']> = (app) => async (request) => {
    const [, owner] = /\/contributions\/([^/]+)$/.exec(request.url) ?? [];
    if (owner === undefined && !request.url.endsWith('/jobs')) return app(request);
    const body = Buffer.from(await request.arrayBuffer());
    if (owner !== undefined) sent.set(owner, body);
    else if (request.method === 'POST') {
      const { descriptor } = JSON.parse(body.toString()) as {
        descriptor: { public_key: object; plan: { ciphertexts: number } };
      };
      encryptor = createEncryptor(publicKeyFromJwk(descriptor.public_key));
      ciphertexts = descriptor.plan.ciphertexts;
    }
    const more = request.method === 'GET' ? {} : { body };
    return app(new Request(request.url, { method: request.method, headers: request.headers, ...more }));
  };
  return {
    before: (name) => (name === liar ? noted : undefined),
    upstream: (name, client, identity) => {
      if (name !== liar) return client;
      return {
        ...client,
        report: (job, round, facilitator, report, signal) => {
          assert.equal(report.status, 'closed');
          const manifest = { ...report.manifest.manifest, aggregate_digest: sha256(told()) };
          const signature = signObject(identity, 'manifest', manifest);
          return client.report(
            job,
            round,
            facilitator,
            { status: 'closed', manifest: { manifest, signature } },
            signal,
          );
        },
        contribute: (statement, _signature, _bytes, signal) => {
          const other = { ...statement, digest: sha256(told()) };
          return client.contribute(other, signObject(identity, 'contribution', other), told(), signal);
        },
      };
    },
  };
}

for (const { lie, multiplied, message } of [
  {
    lie: 'leaves out a contribution',
    multiplied: (all: readonly Buffer[]) => all.slice(1),
    message: /is missing from them/,
  },
  {
    lie: 'multiplies a contribution twice',
    multiplied: (all: readonly Buffer[]) => [...all, ...all.slice(0, 1)],
    message: /is in them twice/,
  },
])
  test(`a leaf that ${lie}: the model owner finds it, and names the owner`, async () => {
    await using stage = await setTreeStage({ owners: 4, below: ['north', 'south'], ...lyingLeaf('south', multiplied) });
    const job = await stage.job({ groups: { size: 2 } });
    const round = await openRound(stage, job);
    await submitAll(stage, job, round);
    await assert.rejects(round.collect(), { code: 'tag_mismatch', message });
  });

test('a leaf that contributes something else than the aggregate of its manifest is refused by its parent', async () => {
  const codes: unknown[] = [];
  await using stage = await setTreeStage({
    owners: 4,
    below: ['north', 'south'],
    upstream: (name, client, identity) => ({
      ...client,
      contribute: async (statement, signature, bytes, signal) => {
        if (name !== 'south') return client.contribute(statement, signature, bytes, signal);
        const other = Uint8Array.from(bytes);
        other[other.length - 1] = (other.at(-1) ?? 0) ^ 1;
        const said = { ...statement, digest: sha256(other) };
        try {
          return await client.contribute(said, signObject(identity, 'contribution', said), other, signal);
        } catch (error) {
          codes.push((error as { code: string }).code);
          return client.contribute(statement, signature, bytes, signal);
        }
      },
    }),
  });
  const job = await stage.job({ groups: { size: 2 } });
  const round = await openRound(stage, job);
  await submitAll(stage, job, round);
  assert.deepEqual([...(await round.collect()).sum], [4, 8, 12]);
  assert.deepEqual(codes, ['message_invalid']);
});

/** The lines of the root's manifest, with that of one leaf changed. */
const changed =
  (change: (line: ManifestLine) => ManifestLine | undefined) =>
  (manifest: Manifest): Manifest => {
    const contributions = manifest.contributions.flatMap((line) => {
      const next = line.owner === 'south' ? change(line) : line;
      return next === undefined ? [] : [next];
    });
    return { ...manifest, contributions, count: contributions.length };
  };

for (const { lie, lies, code, message } of [
  {
    lie: 'drops a leaf from the sum',
    lies: { multiplied: (all) => all.slice(1) },
    code: 'tag_mismatch',
    message: /do not match/,
  },
  {
    lie: 'drops a leaf from the manifest',
    lies: { manifest: changed(() => undefined) },
    code: 'tag_mismatch',
    message: /do not match/,
  },
  {
    lie: 'drops a line of a leaf’s manifest',
    lies: {
      manifest: changed((line) => {
        assert.ok(line.manifest !== undefined);
        const { manifest, signature } = line.manifest;
        const contributions = manifest.contributions.slice(1);
        return { ...line, manifest: { manifest: { ...manifest, contributions, count: 1 }, signature } };
      }),
    },
    code: 'signature_invalid',
    message: /the manifest is not signed by south/,
  },
  {
    lie: 'shows a leaf without its manifest',
    lies: { manifest: changed(({ owner, digest, bytes, signature }) => ({ owner, digest, bytes, signature })) },
    code: 'manifest_invalid',
    message: /that of south is without its manifest/,
  },
] as const satisfies readonly { lie: string; lies: Lies; code: string; message: RegExp }[])
  test(`a root that ${lie} is found by the model owner`, async () => {
    await using stage = await setTreeStage({
      owners: 4,
      below: ['north', 'south'],
      before: (name, cast) => (name === 'facilitator' ? lying(cast, lies) : undefined),
    });
    const job = await stage.job({ groups: { size: 2 } });
    const round = await openRound(stage, job);
    await submitAll(stage, job, round);
    await assert.rejects(round.collect(), { code, message });
  });

test('an owner that is asked for one round at two leaves contributes to the first, is charged once, and withdraws', async () => {
  let isLost = true;
  const shown: { second?: RoundDescriptor } = {};
  await using stage = await setTreeStage({
    owners: 4,
    below: ['north', 'south', 'west'],
    before: (name, cast) => (app) => async (request) => {
      // What the owner sends to the first leaf gets no answer, so that it has no receipt.
      if (isLost && request.method === 'PUT' && request.url.includes('/contributions/')) {
        await request.arrayBuffer();
        return new Response(null, { status: 503 });
      }
      const response = await app(request);
      const { second } = shown;
      if (name !== 'facilitator' || second === undefined || !/\/rounds\/1$/.test(request.url)) return response;
      const view = (await response.json()) as object;
      return Response.json({
        ...view,
        signed: { descriptor: second, signature: signObject(cast.modelOwner, 'round', second) },
      });
    },
  });
  const job = await stage.job({ groups: { size: 2 }, bound: undefined, norm: 8, privacy: { rho: 1 } } as never);
  const round = await openRound(stage, job);
  const hasty = stage.client(0, { patience: 0 });
  await assert.rejects(hasty.submit(job, round, vector), { code: 'request_failed' });
  assert.equal((await hasty.ledger()).rounds, 1);
  // The same round again, in which the leaf that had no group takes that of the owner.
  const free = ['north', 'south', 'west'].find((name) => !round.groups.some(({ facilitator }) => facilitator === name));
  assert.ok(free !== undefined);
  const leaf = clientOf(stage.cast.modelOwner, stage.urls[free] ?? '');
  const groups = round.groups.map((group) =>
    group.roster.includes(hasty.owner) ? { ...group, facilitator: stage.identity(free).name } : group,
  );
  const root = clientOf(stage.cast.modelOwner, stage.urls.facilitator ?? '');
  const never = new AbortController().signal;
  const { signed } = await root.round(job.id, 1, never);
  assert.ok(signed !== undefined);
  const other: RoundDescriptor = { ...signed.descriptor, groups };
  await leaf.openRound({ descriptor: other, signature: signObject(stage.cast.modelOwner, 'round', other) }, never);
  shown.second = other;
  isLost = false;
  await assert.rejects(hasty.submit(job, round, vector), { code: 'round_conflict' });
  assert.equal((await hasty.ledger()).rounds, 1);
  assert.deepEqual((await leaf.round(job.id, 1, never)).contributors, []);
});

test.run();
