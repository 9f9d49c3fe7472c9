/** A data owner's store in its database. */
import { sql } from 'kysely';
import { SealsumError } from '../errors.ts';
import type { JobId } from '../protocol/identifiers.ts';
import type { AuditLog } from './audit-log.ts';
import type { AskedJob, AskedJobStore, OwnedContribution, OwnedJobRecord } from './data-owner-store.ts';
import type { Database, Session } from './database.ts';
import { fromJson, plainBytes, toJson } from './row-json.ts';

type Rows = Session['rows'];

export function createDataOwnerStore(database: Database, audit: AuditLog): AskedJobStore {
  return {
    commit: (change) =>
      database.write(
        async (session) => {
          if (change.job !== undefined) await writeJob(session.rows, change.job, change.asked);
          if (change.contribution !== undefined) await writeContribution(session.rows, change.contribution);
          await audit.append(session, change.audit ?? []);
        },
        // Where a receipt is lost with the machine, the bytes that it is for are back, and are answered with it again.
        { durable: change.contribution?.receipt === undefined },
      ),

    job: (job) =>
      database.read(async ({ rows }) => {
        const found = await rows
          .selectFrom('owned_jobs')
          .select('record_json')
          .where('job', '=', job)
          .executeTakeFirst();
        return found === undefined ? undefined : fromJson(found.record_json);
      }),

    asked: (job) =>
      database.read(async ({ rows }) => {
        const found = await rows
          .selectFrom('owned_jobs')
          .select('asked_json')
          .where('job', '=', job)
          .executeTakeFirst();
        return found?.asked_json == null ? undefined : fromJson(found.asked_json);
      }),

    jobs: () =>
      database.read(async ({ rows }) => {
        const found = await rows.selectFrom('owned_jobs').select('record_json').orderBy('position').execute();
        return found.map((row) => fromJson(row.record_json));
      }),

    contribution: (job, round) =>
      database.read(async ({ rows }) => {
        const found = await rows
          .selectFrom('owned_contributions')
          .select(['round_digest', 'digest', 'bytes', 'receipt_json'])
          .where('job', '=', job)
          .where('round', '=', round)
          .executeTakeFirst();
        if (found === undefined) return undefined;
        const { bytes, receipt_json: receipt } = found;
        return {
          job,
          round,
          roundDigest: found.round_digest,
          digest: found.digest,
          ...(bytes === null ? {} : { bytes: plainBytes(bytes) }),
          ...(receipt === null ? {} : { receipt: fromJson(receipt) }),
        };
      }),

    receipts: (job) =>
      database.read(async ({ rows }) => {
        const found = await rows
          .selectFrom('owned_contributions')
          .select('receipt_json')
          .where('job', '=', job)
          .orderBy('round')
          .execute();
        return found.flatMap(({ receipt_json: receipt }) => (receipt === null ? [] : [fromJson(receipt)]));
      }),

    retain: async ({ endedJobs }) => {
      await database.write(async ({ rows }) => {
        const ended = await rows
          .selectFrom('owned_jobs')
          .select('job')
          .where('status', '=', 'ended')
          .orderBy('updated_at', 'desc')
          .orderBy('position', 'desc')
          .execute();
        const withBytes = await rows
          .selectFrom('owned_contributions')
          .select('job')
          .distinct()
          .where('bytes', 'is not', null)
          .execute();
        const over = new Set(ended.map(({ job }) => job));
        for (const { job } of withBytes) if (over.has(job)) await forgetBytes(rows, job);
        for (const { job } of ended.slice(endedJobs)) {
          await rows.deleteFrom('owned_contributions').where('job', '=', job).execute();
          await rows.deleteFrom('owned_jobs').where('job', '=', job).execute();
        }
      });
      await database.compact();
    },

    forgetBytes: (job) => database.write(({ rows }) => forgetBytes(rows, job)),
  };
}

/** @param asked stays as it is unless given */
async function writeJob(rows: Rows, record: OwnedJobRecord, asked: AskedJob | undefined): Promise<void> {
  const { job, status, updatedAt } = record;
  const changed = {
    status,
    updated_at: updatedAt,
    record_json: toJson(record),
    ...(asked === undefined ? {} : { asked_json: toJson(asked) }),
  };
  await rows
    .insertInto('owned_jobs')
    .values({ position: sql<number>`(select coalesce(max(position), 0) + 1 from owned_jobs)`, job, ...changed })
    .onConflict((conflict) => conflict.column('job').doUpdateSet(changed))
    .execute();
}

/**
 * The bytes are as given, a receipt stays once it is there.
 *
 * @throws SealsumError contribution_conflict when other bytes, or bytes for another descriptor, were made for the round before
 */
async function writeContribution(rows: Rows, contribution: OwnedContribution): Promise<void> {
  const { job, round, roundDigest, digest, bytes, receipt } = contribution;
  const { numInsertedOrUpdatedRows } = await rows
    .insertInto('owned_contributions')
    .values({
      job,
      round,
      round_digest: roundDigest,
      digest,
      bytes: bytes ?? null,
      receipt_json: receipt === undefined ? null : toJson(receipt),
    })
    .onConflict((conflict) =>
      conflict
        .columns(['job', 'round'])
        .doUpdateSet((row) => ({
          bytes: row.ref('excluded.bytes'),
          receipt_json: row.fn.coalesce(row.ref('excluded.receipt_json'), row.ref('owned_contributions.receipt_json')),
        }))
        .where('owned_contributions.round_digest', '=', roundDigest)
        .where('owned_contributions.digest', '=', digest),
    )
    .executeTakeFirst();
  if (numInsertedOrUpdatedRows !== 1n)
    throw new SealsumError(
      'contribution_conflict',
      `other bytes were made for round ${round} of job ${job} before, or for another descriptor of it`,
    );
}

async function forgetBytes(rows: Rows, job: JobId): Promise<void> {
  await rows
    .updateTable('owned_contributions')
    .set({ bytes: null })
    .where('job', '=', job)
    .where('bytes', 'is not', null)
    .execute();
}
