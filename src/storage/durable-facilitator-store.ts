/** A facilitator's store in its database. */
import { isDeepStrictEqual } from 'node:util';
import { sql } from 'kysely';
import { SealsumError } from '../errors.ts';
import type { JobEvent, JobEventBody } from '../protocol/events.ts';
import type { JobId } from '../protocol/identifiers.ts';
import type { OwnerView } from '../protocol/job-messages.ts';
import type { AcceptedContribution } from '../protocol/round.ts';
import type { SignedManifest } from '../protocol/round-messages.ts';
import type { AuditLog } from './audit-log.ts';
import type { Database, Generation, Session } from './database.ts';
import { endingOf, readRoundLines, readTotals } from './facilitator-overview.ts';
import { retainFacilitator } from './facilitator-retention.ts';
import type {
  BlockPlace,
  BlockSeries,
  FacilitatorChange,
  FacilitatorStore,
  JobRecord,
  RoundRecord,
} from './facilitator-store.ts';
import { fromJson, piecesOf, plainBytes, toJson } from './row-json.ts';
import type { StoredManifest } from './tables.ts';

type Rows = Session['rows'];

export function createFacilitatorStore(database: Database, audit: AuditLog): FacilitatorStore {
  /** The number of the newest event, for as long as what is remembered of the store counts. */
  const newest = new WeakMap<Generation, number>();

  async function lastEvent({ rows, generation }: Session): Promise<number> {
    const number = newest.get(generation) ?? (await newestEvent(rows));
    newest.set(generation, number);
    return number;
  }

  async function write(session: Session, change: FacilitatorChange): Promise<readonly JobEvent[]> {
    const { rows, generation } = session;
    if (change.job !== undefined) await writeJob(rows, change.job);
    for (const { job, view } of change.owners ?? []) await writeOwner(rows, job, view);
    if (change.round !== undefined) await writeRound(rows, change.round);
    if (change.contributions !== undefined) await writeContributions(rows, change.contributions);
    if (change.round?.manifest !== undefined) await writeManifest(rows, change.round.state, change.round.manifest);
    for (const place of change.forget ?? []) await deleteBlocks(rows, place);
    for (const { place, block, bytes } of change.blocks ?? []) await writeBlock(rows, place, block, bytes);
    const before = await lastEvent(session);
    const events = change.events.map((body, index) => ({ ...body, id: before + 1 + index }));
    await writeEvents(rows, change.events, before);
    newest.set(generation, before + events.length);
    await audit.append(session, change.audit ?? []);
    return events;
  }

  return {
    commit: (change) => database.write((session) => write(session, change)),
    job: (job) => database.read(({ rows }) => readJob(rows, job)),
    jobs: () =>
      database.read(async ({ rows }) => {
        const named = await rows.selectFrom('jobs').select('job').orderBy('position').execute();
        const found: JobRecord[] = [];
        for (const { job } of named) {
          const record = await readJob(rows, job);
          if (record !== undefined) found.push(record);
        }
        return found;
      }),
    round: (job, round) => database.read(({ rows }) => readRound(rows, job, round)),
    roundLines: (job, page) => database.read(({ rows }) => readRoundLines(rows, job, page)),
    totals: (job) => database.read(({ rows }) => readTotals(rows, job)),

    // What is kept here counts only by what is committed later, and that is on disk no sooner than this.
    keepBlock: (place, block, bytes) =>
      database.write(({ rows }) => writeBlock(rows, place, block, bytes), { durable: false }),

    block: ({ job, round, series }, block) =>
      database.read(async ({ rows }) => {
        const found = await rows
          .selectFrom('blocks')
          .select('bytes')
          .where('job', '=', job)
          .where('round', '=', round)
          .where('series', '=', series)
          .where('block', '=', block)
          .executeTakeFirst();
        return found === undefined ? undefined : plainBytes(found.bytes);
      }),

    forgetBlocks: (what) =>
      database.write(
        async ({ rows }) => {
          if (what === 'uploads') await rows.deleteFrom('blocks').where('series', 'like', 'upload:%').execute();
          else await deleteBlocks(rows, what);
        },
        { durable: false },
      ),

    events: (after, job, limit) =>
      database.read(async ({ rows }) => {
        let events = rows.selectFrom('events').select(['id', 'body_json']).where('id', '>', after);
        if (job !== undefined) events = events.where('job', '=', job);
        const found = await events.orderBy('id').limit(limit).execute();
        return found.map(({ id, body_json }) => ({ ...fromJson(body_json), id }));
      }),

    lastEvent: () => database.read(lastEvent),
    retain: (rule, now) => retainFacilitator(database, rule, now),
  };
}

async function writeJob(rows: Rows, record: JobRecord): Promise<void> {
  const { signed, digest, status, owners, round, createdAt, changedAt } = record;
  const { job } = signed.descriptor;
  const { numUpdatedRows } = await rows
    .updateTable('jobs')
    .set({ status, round, changed_at: changedAt })
    .where('job', '=', job)
    .executeTakeFirst();
  if (numUpdatedRows > 0n) return;
  await rows
    .insertInto('jobs')
    .values({
      position: sql<number>`(select coalesce(max(position), 0) + 1 from jobs)`,
      job,
      status,
      round,
      created_at: createdAt,
      changed_at: changedAt,
    })
    .execute();
  await rows
    .insertInto('job_descriptors')
    .values({ job, digest, signed_json: toJson(signed) })
    .execute();
  const views = owners.map((view, place) => ({ job, place, owner: view.owner, view_json: toJson(view) }));
  for (const piece of piecesOf(views)) await rows.insertInto('job_owners').values(piece).execute();
}

/** @throws SealsumError owner_not_on_roster */
async function writeOwner(rows: Rows, job: JobId, view: OwnerView): Promise<void> {
  const { numUpdatedRows } = await rows
    .updateTable('job_owners')
    .set({ view_json: toJson(view) })
    .where('job', '=', job)
    .where('owner', '=', view.owner)
    .executeTakeFirst();
  if (numUpdatedRows === 0n)
    throw new SealsumError('owner_not_on_roster', `${view.owner} is not on the roster of job ${job}`, {
      field: 'owner',
    });
}

async function readJob(rows: Rows, job: JobId): Promise<JobRecord | undefined> {
  const found = await rows
    .selectFrom('jobs')
    .innerJoin('job_descriptors', 'job_descriptors.job', 'jobs.job')
    .select(['status', 'round', 'created_at', 'changed_at', 'digest', 'signed_json'])
    .where('jobs.job', '=', job)
    .executeTakeFirst();
  if (found === undefined) return undefined;
  const views = await rows
    .selectFrom('job_owners')
    .select('view_json')
    .where('job', '=', job)
    .orderBy('place')
    .execute();
  return {
    signed: fromJson(found.signed_json),
    digest: found.digest,
    status: found.status,
    owners: views.map((row) => fromJson(row.view_json)),
    round: found.round,
    createdAt: found.created_at,
    changedAt: found.changed_at,
  };
}

async function writeRound(rows: Rows, { state, signed, digest, ending }: RoundRecord): Promise<void> {
  const { job, round, quorum, openedAt, deadline, roster } = state;
  const changed = {
    status: state.status,
    withdrawn_json: toJson(state.withdrawn),
    reason_json: state.reason === undefined ? null : toJson(state.reason),
    ended_at: ending?.at ?? null,
    closing_milliseconds: ending?.milliseconds ?? null,
  };
  const { numUpdatedRows } = await rows
    .updateTable('rounds')
    .set(changed)
    .where('job', '=', job)
    .where('round', '=', round)
    .executeTakeFirst();
  if (numUpdatedRows > 0n) return;
  const fixed = { job, round, digest, quorum, opened_at: openedAt, deadline, roster_json: toJson(roster) };
  await rows
    .insertInto('rounds')
    .values({ ...fixed, ...changed })
    .execute();
  if (signed !== undefined)
    await rows
      .insertInto('round_descriptors')
      .values({ job, round, signed_json: toJson(signed) })
      .execute();
}

/** Nearly all of a manifest is the contributions, which are in the table of contributions already. */
async function writeManifest(
  rows: Rows,
  { job, round }: RoundRecord['state'],
  { manifest, signature }: SignedManifest,
): Promise<void> {
  const known = isDeepStrictEqual(manifest.contributions, await readContributions(rows, job, round));
  const contributions = known ? manifest.contributions.length : manifest.contributions;
  await rows
    .updateTable('rounds')
    .set({ manifest_json: toJson({ manifest: { ...manifest, contributions }, signature }) })
    .where('job', '=', job)
    .where('round', '=', round)
    .execute();
}

function wholeManifest(stored: StoredManifest, accepted: readonly AcceptedContribution[]): SignedManifest {
  const { contributions, ...rest } = stored.manifest;
  const named = typeof contributions === 'number' ? accepted.slice(0, contributions) : contributions;
  return { manifest: { ...rest, contributions: named }, signature: stored.signature };
}

async function readRound(rows: Rows, job: JobId, round: number): Promise<RoundRecord | undefined> {
  const found = await rows
    .selectFrom('rounds')
    .leftJoin('round_descriptors', (join) =>
      join.onRef('round_descriptors.job', '=', 'rounds.job').onRef('round_descriptors.round', '=', 'rounds.round'),
    )
    .select([
      'status',
      'digest',
      'quorum',
      'opened_at',
      'deadline',
      'roster_json',
      'withdrawn_json',
      'reason_json',
      'manifest_json',
      'signed_json',
      'ended_at',
      'closing_milliseconds',
    ])
    .where('rounds.job', '=', job)
    .where('rounds.round', '=', round)
    .executeTakeFirst();
  if (found === undefined) return undefined;
  const contributions = await readContributions(rows, job, round);
  const { signed_json: signed, manifest_json: manifest, reason_json: reason } = found;
  return {
    state: {
      job,
      round,
      status: found.status,
      roster: fromJson(found.roster_json),
      quorum: found.quorum,
      openedAt: found.opened_at,
      deadline: found.deadline,
      contributions,
      withdrawn: fromJson(found.withdrawn_json),
      ...(reason === null ? {} : { reason: fromJson(reason) }),
    },
    digest: found.digest,
    ...(signed === null ? {} : { signed: fromJson(signed) }),
    ...(manifest === null ? {} : { manifest: wholeManifest(fromJson(manifest), contributions) }),
    ...endingOf(found),
  };
}

/** @throws SealsumError contribution_conflict when one of the owners has contributed to the round before */
async function writeContributions(
  rows: Rows,
  { job, round, accepted }: NonNullable<FacilitatorChange['contributions']>,
): Promise<void> {
  const newest = await rows
    .selectFrom('contributions')
    .select((contribution) => contribution.fn.max('place').as('place'))
    .where('job', '=', job)
    .where('round', '=', round)
    .executeTakeFirst();
  const before = newest?.place ?? 0;
  const all = accepted.map(({ owner, digest, bytes, signature }, index) => ({
    job,
    round,
    owner,
    place: before + 1 + index,
    digest,
    bytes,
    signature_json: toJson(signature),
  }));
  for (const piece of piecesOf(all)) {
    const written = await rows
      .insertInto('contributions')
      .values(piece)
      .onConflict((conflict) => conflict.columns(['job', 'round', 'owner']).doNothing())
      .returning('owner')
      .execute();
    if (written.length === piece.length) continue;
    const fresh = new Set(written.map(({ owner }) => owner));
    const known = piece.find(({ owner }) => !fresh.has(owner))?.owner ?? 'an owner';
    throw new SealsumError('contribution_conflict', `${known} has contributed to round ${round} of job ${job} before`);
  }
}

async function readContributions(rows: Rows, job: JobId, round: number): Promise<readonly AcceptedContribution[]> {
  const found = await rows
    .selectFrom('contributions')
    .select(['owner', 'digest', 'bytes', 'signature_json'])
    .where('job', '=', job)
    .where('round', '=', round)
    .orderBy('place')
    .execute();
  return found.map(({ owner, digest, bytes, signature_json }) => ({
    owner,
    digest,
    bytes,
    signature: fromJson(signature_json),
  }));
}

async function writeBlock(
  rows: Rows,
  { job, round, series }: BlockPlace,
  block: number,
  bytes: Uint8Array,
): Promise<void> {
  await rows
    .insertInto('blocks')
    .values({ job, round, series, block, bytes })
    .onConflict((conflict) => conflict.columns(['job', 'round', 'series', 'block']).doUpdateSet({ bytes }))
    .execute();
}

async function deleteBlocks(
  rows: Rows,
  { job, round, series }: NonNullable<FacilitatorChange['forget']>[number],
): Promise<void> {
  let blocks = rows.deleteFrom('blocks').where('job', '=', job);
  if (round !== undefined) blocks = blocks.where('round', '=', round);
  if (series === 'products') blocks = blocks.where('series', 'like', sql<BlockSeries>`'product:%'`);
  else if (series !== undefined) blocks = blocks.where('series', '=', series);
  await blocks.execute();
}

async function writeEvents(rows: Rows, bodies: readonly JobEventBody[], before: number): Promise<void> {
  const events = bodies.map((body, index) => ({
    id: before + 1 + index,
    job: body.job,
    body_json: toJson(body),
  }));
  for (const piece of piecesOf(events)) await rows.insertInto('events').values(piece).execute();
}

async function newestEvent(rows: Rows): Promise<number> {
  const found = await rows
    .selectFrom('events')
    .select((event) => event.fn.max('id').as('newest'))
    .executeTakeFirst();
  return found?.newest ?? 0;
}
