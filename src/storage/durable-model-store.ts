/** A model owner's store in its database. */
import { sql } from 'kysely';
import { SealsumError } from '../errors.ts';
import type { AuditLog } from './audit-log.ts';
import type { Database, Session } from './database.ts';
import type { ModelChange, ModelRecord, ModelStore, TrainingRecord } from './model-store.ts';
import { createOwnerViews, type OwnerViews } from './owner-views.ts';
import { fromJson, plainBytes, toJson } from './row-json.ts';

export function createModelStore(database: Database, audit: AuditLog): ModelStore {
  const views = createOwnerViews();
  return {
    commit: (change) =>
      database.write(async (session) => {
        const { rows } = session;
        const { model, training, round, event, trainingOver } = change;
        if (model !== undefined) await writeModel(session, views, model);
        for (const id of new Set([training?.id, round?.id, event?.id]))
          if (id !== undefined && id !== model?.id) await requireModel(session, id);
        if (training !== undefined) await writeTraining(session, training);
        if (round !== undefined) await writeRound(session, round);
        if (event !== undefined) await writeEvent(session, views, event);
        if (trainingOver !== undefined) await rows.deleteFrom('trainings').where('id', '=', trainingOver).execute();
        await audit.append(session, change.audit ?? []);
      }),

    get: (id) => database.read((session) => readModel(session, views, id)),

    list: () =>
      database.read(async (session) => {
        const named = await session.rows.selectFrom('models').select('id').orderBy('position').execute();
        const found: ModelRecord[] = [];
        for (const { id } of named) {
          const record = await readModel(session, views, id);
          if (record !== undefined) found.push(record);
        }
        return found;
      }),

    delete: async (id, bodies = []) => {
      await database.write(async (session) => {
        await session.rows.deleteFrom('models').where('id', '=', id).execute();
        views.forget(session, id);
        await audit.append(session, bodies);
      });
      await database.compact();
    },

    training: (id) => database.read((session) => readTraining(session, id)),

    rounds: (id, page) =>
      database.read(async ({ rows }) => {
        let asked = rows.selectFrom('model_rounds').select('report_json').where('id', '=', id);
        if (page?.after !== undefined) asked = asked.where('round', '>', page.after);
        else if (page?.before !== undefined) asked = asked.where('round', '<', page.before);
        if (page !== undefined) asked = asked.limit(page.limit);
        const isBackwards = page !== undefined && page.after === undefined;
        const found = await asked.orderBy('round', isBackwards ? 'desc' : 'asc').execute();
        return found.map((row) => fromJson(row.report_json));
      }),

    events: (id, after, limit) =>
      database.read(async (session) => {
        const found = await session.rows
          .selectFrom('model_events')
          .select(['event', 'body_json'])
          .where('id', '=', id)
          .where('event', '>', after)
          .orderBy('event')
          .limit(limit)
          .execute();
        if (found.length === 0) return [];
        const ownersOf = await views.reader(session, id);
        return found.map(({ event, body_json }) => {
          const body = fromJson(body_json);
          return { ...body, owners: ownersOf(body.owners), id: event };
        });
      }),
  };
}

async function writeModel(session: Session, views: OwnerViews, record: ModelRecord): Promise<void> {
  const { rows } = session;
  const { id, model, parameters, owners, ...rest } = record;
  const known = await rows.selectFrom('models').select('id').where('id', '=', id).executeTakeFirst();
  if (known === undefined) {
    const position = sql<number>`(select coalesce(max(position), 0) + 1 from models)`;
    // The views of its owners belong to it, so that it has to be there before them.
    const record_json = toJson({ ...rest, owners: [] });
    await rows.insertInto('models').values({ position, id, record_json }).execute();
    await rows
      .insertInto('model_documents')
      .values({ id, model_json: toJson(model) })
      .execute();
  }
  const record_json = toJson({ ...rest, owners: await views.numbersOf(session, id, owners) });
  await rows.updateTable('models').set({ record_json }).where('id', '=', id).execute();
  if (parameters === undefined) return;
  const parameters_json = toJson(parameters);
  await rows
    .insertInto('model_parameters')
    .values({ id, parameters_json })
    .onConflict((conflict) => conflict.column('id').doUpdateSet({ parameters_json }))
    .execute();
}

async function readModel(session: Session, views: OwnerViews, id: string): Promise<ModelRecord | undefined> {
  const found = await session.rows
    .selectFrom('models')
    .innerJoin('model_documents', 'model_documents.id', 'models.id')
    .leftJoin('model_parameters', 'model_parameters.id', 'models.id')
    .select(['record_json', 'model_json', 'parameters_json'])
    .where('models.id', '=', id)
    .executeTakeFirst();
  if (found === undefined) return undefined;
  const ownersOf = await views.reader(session, id);
  const record = fromJson(found.record_json);
  return {
    ...record,
    id,
    model: fromJson(found.model_json),
    owners: ownersOf(record.owners),
    ...(found.parameters_json === null ? {} : { parameters: fromJson(found.parameters_json) }),
  };
}

/** @throws SealsumError model_unknown, such as for one that was deleted while it was trained */
async function requireModel({ rows }: Session, id: string): Promise<void> {
  const found = await rows.selectFrom('models').select('id').where('id', '=', id).executeTakeFirst();
  if (found === undefined) throw new SealsumError('model_unknown', `there is no model ${id}`, { field: 'id' });
}

async function writeTraining({ rows }: Session, record: TrainingRecord): Promise<void> {
  const { id, roster, round, opened, trainer, proposal } = record;
  const changed = { round, opened, trainer_json: trainer === undefined ? null : toJson(trainer) };
  const { numUpdatedRows } = await rows.updateTable('trainings').set(changed).where('id', '=', id).executeTakeFirst();
  if (numUpdatedRows === 0n)
    await rows
      .insertInto('trainings')
      .values({ id, roster_json: toJson(roster), ...changed })
      .execute();
  if (proposal === undefined) {
    await rows.deleteFrom('training_proposals').where('id', '=', id).execute();
    return;
  }
  const known = await rows
    .selectFrom('training_proposals')
    .select('sealed_keys')
    .where('id', '=', id)
    .executeTakeFirst();
  // Sealing the same keys twice gives other bytes: the same bytes are the same proposal.
  if (known !== undefined && Buffer.compare(known.sealed_keys, proposal.sealedKeys) === 0) return;
  const proposed = { signed_json: toJson(proposal.signed), sealed_keys: proposal.sealedKeys };
  await rows
    .insertInto('training_proposals')
    .values({ id, ...proposed })
    .onConflict((conflict) => conflict.column('id').doUpdateSet(proposed))
    .execute();
}

async function readTraining({ rows }: Session, id: string): Promise<TrainingRecord | undefined> {
  const found = await rows
    .selectFrom('trainings')
    .leftJoin('training_proposals', 'training_proposals.id', 'trainings.id')
    .select(['roster_json', 'round', 'opened', 'trainer_json', 'signed_json', 'sealed_keys'])
    .where('trainings.id', '=', id)
    .executeTakeFirst();
  if (found === undefined) return undefined;
  const { round, opened, trainer_json: trainer, signed_json: signed, sealed_keys: sealedKeys } = found;
  return {
    id,
    roster: fromJson(found.roster_json),
    ...(signed === null || sealedKeys === null
      ? {}
      : { proposal: { signed: fromJson(signed), sealedKeys: plainBytes(sealedKeys) } }),
    round,
    opened,
    ...(trainer === null ? {} : { trainer: fromJson(trainer) }),
  };
}

async function writeRound({ rows }: Session, { id, report }: NonNullable<ModelChange['round']>): Promise<void> {
  const report_json = toJson(report);
  await rows
    .insertInto('model_rounds')
    .values({ id, round: report.round, report_json })
    .onConflict((conflict) => conflict.columns(['id', 'round']).doUpdateSet({ report_json }))
    .execute();
}

async function writeEvent(
  session: Session,
  views: OwnerViews,
  { id, body }: NonNullable<ModelChange['event']>,
): Promise<void> {
  const owners = await views.numbersOf(session, id, body.owners);
  await session.rows
    .insertInto('model_events')
    .values({
      id,
      event: sql<number>`(select coalesce(max(event), 0) + 1 from model_events where id = ${id})`,
      body_json: toJson({ ...body, owners }),
    })
    .execute();
}
