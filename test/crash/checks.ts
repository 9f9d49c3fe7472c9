/** What must be true of a training, whatever happened to whom while it ran, and of what everybody keeps afterwards. */
import assert from 'node:assert/strict';
import type { DataUnitParameters } from '../../src/learning/prediction.ts';
import { type JobId, jobIdSchema } from '../../src/protocol/identifiers.ts';
import type { JobOutcome } from '../../src/protocol/job-messages.ts';
import { verifyInclusion, verifyManifest } from '../../src/protocol/manifest.ts';
import type { SignedManifest, SignedReceipt } from '../../src/protocol/round-messages.ts';
import { verifyObject } from '../../src/protocol/signed.ts';
import { readAuditLog } from '../../src/storage/audit-log.ts';
import { verifyLog } from '../../src/storage/audit-verification.ts';
import { type Database, openDatabase } from '../../src/storage/database.ts';
import type { Consortium } from './consortium.ts';
import { eventually } from './eventually.ts';
import { facilitatorName, modelOwnerName } from './project.ts';
import { type OwnerName, ownerNames } from './samples.ts';
import type { Supervised } from './supervised.ts';

/** The coefficients that GET /models/{id}/parameters answers: JSON writes every double so that its bits come back. */
export async function finishedAnswer(consortium: Consortium, id: string): Promise<string> {
  await consortium.modelIs('is finished', id, ({ status }) => status === 'finished');
  const view = await consortium.modelIs('has made its updates', id, () => true);
  assert.equal(view.updates, view.planned_updates);
  const found = await consortium.read(consortium.modelOwner, `/models/${id}/parameters`);
  const { columns, coefficients } = found as DataUnitParameters;
  return JSON.stringify({ columns, coefficients });
}

/** Waits until the facilitator and all owners know that a job has ended. */
export async function jobHasEnded(consortium: Consortium, id: string, outcome: JobOutcome): Promise<void> {
  const job = jobIdSchema.parse(id);
  const { signal, owners } = consortium;
  await eventually(`job ${id} to be ${outcome} at the facilitator`, signal, async () => {
    const { status } = await consortium.clientOf(modelOwnerName).job(job, signal);
    if (status !== 'open') assert.equal(status, outcome);
    return status === outcome;
  });
  for (const owner of ownerNames)
    await eventually(`${owner} to have heard that job ${id} has ended`, signal, async () => {
      const { jobs } = (await consortium.read(owners[owner], '/jobs')) as {
        readonly jobs: readonly { readonly job: string; readonly status: string }[];
      };
      const known = jobs.find((each) => each.job === id);
      return known === undefined || ['ended', 'refused', 'withdrawn'].includes(known.status);
    });
}

/**
 * Every round of a finished job is the sum of all who took part: each of them is in each manifest once, has a receipt for it, and
 * has paid for it once; and the model owner has told of each round once.
 *
 * @param took those who took part
 */
export async function nobodyIsLost(consortium: Consortium, id: string, took: readonly OwnerName[]): Promise<void> {
  await jobHasEnded(consortium, id, 'finished');
  const job = jobIdSchema.parse(id);
  const manifests = await manifestsOf(consortium, job);
  const rounds = manifests.map((_, index) => index + 1);
  const everybody = [...took].sort();
  for (const { manifest } of manifests) {
    assert.deepEqual(manifest.contributions.map(({ owner }) => String(owner)).sort(), everybody);
    assert.equal(manifest.count, everybody.length);
  }
  for (const owner of took) {
    const receipts = await receiptsOf(consortium, owner, id);
    assert.deepEqual(
      receipts.map(({ receipt }) => receipt.round),
      rounds,
      `the receipts of ${owner}`,
    );
    receipts.forEach((receipt, index) => {
      const manifest = manifests[index];
      assert.ok(manifest !== undefined);
      verifyInclusion(consortium.project.parties, facilitatorName, receipt, manifest);
    });
    assert.deepEqual(await chargesOf(consortium, owner, id), rounds, `the charges of ${owner}`);
  }
  assert.deepEqual(await toldRounds(consortium, id), rounds, 'the rounds that the model owner tells of');
}

/** The manifests of all rounds of a job, each as its facilitator signed it. */
async function manifestsOf(consortium: Consortium, job: JobId): Promise<readonly SignedManifest[]> {
  const { signal, project } = consortium;
  const client = consortium.clientOf(modelOwnerName);
  const { round: newest } = await client.job(job, signal);
  assert.ok(newest > 0);
  const manifests: SignedManifest[] = [];
  for (let round = 1; round <= newest; round++) {
    const view = await client.round(job, round, signal);
    assert.equal(view.status, 'closed');
    const { manifest: found } = view;
    assert.ok(found !== undefined);
    const { manifest, signature } = found;
    verifyObject(project.parties, { name: facilitatorName, role: 'facilitator' }, 'manifest', manifest, signature);
    assert.deepEqual([manifest.job, manifest.round], [job, round]);
    // What the model owner signed of old rounds is forgotten at some time.
    if (view.signed !== undefined)
      verifyManifest(project.parties, facilitatorName, view.signed, manifest.contributions[0]?.bytes ?? 0, found);
    manifests.push(found);
  }
  return manifests;
}

export async function receiptsOf(
  consortium: Consortium,
  owner: OwnerName,
  id: string,
): Promise<readonly SignedReceipt[]> {
  const answer = await consortium.read(consortium.owners[owner], `/jobs/${id}/receipts`);
  const { receipts } = answer as { readonly receipts: readonly SignedReceipt[] };
  return receipts;
}

/** The rounds that an owner's ledger has of a job, in the order in which they were charged. */
export async function chargesOf(consortium: Consortium, owner: OwnerName, id: string): Promise<readonly number[]> {
  const answer = await consortium.read(consortium.owners[owner], '/ledger');
  const { entries } = answer as { readonly entries: readonly { readonly job: string; readonly round: number }[] };
  return entries.filter(({ job }) => job === id).map(({ round }) => round);
}

/** The rounds of which the events of a finished model tell. */
async function toldRounds({ modelOwner, ask, signal }: Consortium, id: string): Promise<readonly number[]> {
  const text = await eventually('the events of the model', signal, async () => {
    const answer = await ask(modelOwner, `/models/${id}/events`);
    return answer?.status === 200 ? answer.text : undefined;
  });
  const told = [...text.matchAll(/^data: (.*)$/gm)].map(
    ([, data = '']) => JSON.parse(data) as { readonly id: number; readonly round?: { readonly round: number } },
  );
  assert.deepEqual(
    told.map((event) => event.id),
    told.map((_, index) => index + 1),
    'the numbers of the events',
  );
  return told.flatMap(({ round }) => (round === undefined ? [] : [round.round]));
}

/**
 * Stops everybody as people do, and looks at what is left behind: audit logs whose chains hold, no block of a job that has ended,
 * no key, no bytes of a contribution.
 */
export async function leavesNothingBehind(consortium: Consortium): Promise<void> {
  const { parties, project, stores } = consortium;
  await Promise.all(parties.map((party) => everybodyIsUp(consortium, party)));
  await Promise.all(parties.map((party) => party.stop()));
  consortium.signal.throwIfAborted();
  for (const party of parties) {
    await using database = await openDatabase(stores.locationOf(party.name), { role: party.role });
    const entries = await wholeLog(database);
    const { entries: verified } = await verifyLog(entries, project.parties.keysOf(party.name));
    assert.ok(verified > 0, `the audit log of ${party.name}`);
    assert.deepEqual(await leftovers(database), {}, `what ${party.name} still keeps`);
  }
}

async function everybodyIsUp({ signal }: Consortium, party: Supervised): Promise<void> {
  party.disarm();
  party.start();
  await eventually(`${party.name} to listen`, signal, party.listens);
}

async function wholeLog(database: Database): Promise<readonly unknown[]> {
  const entries: unknown[] = [];
  for (;;) {
    const page = await readAuditLog(database, entries.length, 1000);
    if (page.length === 0) return entries;
    entries.push(...page);
  }
}

/** How many rows there are of what must not be kept when no job is open any more, by what they are. */
function leftovers(database: Database): Promise<Readonly<Record<string, number>>> {
  return database.read(async ({ rows }) => {
    const found: Record<string, number> = {};
    const count = (what: string, all: readonly unknown[]): void => {
      if (all.length > 0) found[what] = all.length;
    };
    switch (database.role) {
      case 'facilitator':
        count('blocks', await rows.selectFrom('blocks').select(['job', 'round', 'series']).execute());
        break;
      case 'model-owner':
        count('trainings', await rows.selectFrom('trainings').select('id').execute());
        count('proposals with keys', await rows.selectFrom('training_proposals').select('id').execute());
        break;
      case 'data-owner': {
        const kept = rows.selectFrom('owned_contributions').select('round').where('bytes', 'is not', null);
        count('contributions', await kept.execute());
      }
    }
    return found;
  });
}
