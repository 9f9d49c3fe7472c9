/** What a facilitator forgets, in steps so small that a round that is running hardly notices. */
import type { JobId } from '../protocol/identifiers.ts';
import type { Database } from './database.ts';
import type { FacilitatorStore, Retention } from './facilitator-store.ts';

/** A round goes with up to thousands of contributions, a descriptor with some blocks. */
const roundsAtATime = 5;
const descriptorsAtATime = 20;
const eventsAtATime = 2000;
const millisecondsPerDay = 86_400_000;

/**
 * Ended jobs go with everything of theirs but their events, the ones that ended first before the others, and of those that
 * ended at the same time the one made first. Of the rounds of a job, whether it is open or not, all but the newest ended ones
 * lose their descriptor and their blocks. The newest event is always kept, so that numbers never begin again.
 */
export async function retainFacilitator(
  database: Database,
  rule: Retention,
  now: number,
): ReturnType<FacilitatorStore['retain']> {
  const jobs = await jobsToForget(database, rule, now);
  for (const job of jobs) await forgetJob(database, job);
  const rounds = await roundsToForget(database, rule);
  for (let start = 0; start < rounds.length; start += descriptorsAtATime)
    await forgetDescriptors(database, rounds.slice(start, start + descriptorsAtATime));
  const events = await forgetEvents(database, rule);
  await database.compact();
  return { jobs: jobs.length, rounds: rounds.length, events };
}

function jobsToForget(database: Database, rule: Retention, now: number): Promise<readonly JobId[]> {
  const oldest = now - rule.endedJobDays * millisecondsPerDay;
  return database.read(async ({ rows }) => {
    const ended = await rows
      .selectFrom('jobs')
      .select(['job', 'changed_at'])
      .where('status', 'in', ['finished', 'failed', 'cancelled'])
      .orderBy('changed_at', 'desc')
      .orderBy('position', 'desc')
      .execute();
    return ended.filter((each, place) => place >= rule.endedJobs || each.changed_at < oldest).map(({ job }) => job);
  });
}

/** The job's own row goes last: if this is cut off, the next time finds the job and goes on. */
async function forgetJob(database: Database, job: JobId): Promise<void> {
  while (await forgetOldestRounds(database, job));
  await database.write(async ({ rows }) => {
    await rows.deleteFrom('blocks').where('job', '=', job).execute();
    await rows.deleteFrom('jobs').where('job', '=', job).execute();
  });
}

/** False when there was none left. */
function forgetOldestRounds(database: Database, job: JobId): Promise<boolean> {
  return database.write(async ({ rows }) => {
    const found = await rows
      .selectFrom('rounds')
      .select('round')
      .where('job', '=', job)
      .orderBy('round')
      .limit(roundsAtATime)
      .execute();
    if (found.length === 0) return false;
    const rounds = found.map(({ round }) => round);
    await rows.deleteFrom('blocks').where('job', '=', job).where('round', 'in', rounds).execute();
    await rows.deleteFrom('rounds').where('job', '=', job).where('round', 'in', rounds).execute();
    return true;
  });
}

interface RoundName {
  readonly job: JobId;
  readonly round: number;
}

function roundsToForget(database: Database, rule: Retention): Promise<readonly RoundName[]> {
  return database.read(async ({ rows }) => {
    // Only rounds that have not been forgotten before have a descriptor: few, however many there were.
    const ended = await rows
      .selectFrom('round_descriptors')
      .innerJoin('rounds', (join) =>
        join.onRef('rounds.job', '=', 'round_descriptors.job').onRef('rounds.round', '=', 'round_descriptors.round'),
      )
      .select(['rounds.job', 'rounds.round'])
      .where('rounds.status', '<>', 'open')
      .orderBy('rounds.round', 'desc')
      .execute();
    const kept = new Map<JobId, number>();
    return ended.filter(({ job }) => {
      const place = kept.get(job) ?? 0;
      kept.set(job, place + 1);
      return place >= rule.rounds;
    });
  });
}

async function forgetDescriptors(database: Database, names: readonly RoundName[]): Promise<void> {
  await database.write(async ({ rows }) => {
    for (const table of ['round_descriptors', 'blocks'] as const)
      for (const { job, round } of names)
        await rows.deleteFrom(table).where('job', '=', job).where('round', '=', round).execute();
  });
}

async function forgetEvents(database: Database, rule: Retention): Promise<number> {
  const { oldest, newest } = await database.read(async ({ rows }) => {
    const first = await rows
      .selectFrom('events')
      .select((event) => event.fn.min('id').as('id'))
      .executeTakeFirst();
    const last = await rows
      .selectFrom('events')
      .select((event) => event.fn.max('id').as('id'))
      .executeTakeFirst();
    return { oldest: first?.id ?? 1, newest: last?.id ?? 0 };
  });
  // Numbers are without a gap, so that how many are deleted follows from the first and the last.
  const last = newest - Math.max(1, rule.events);
  for (let done = oldest - 1; done < last; done += eventsAtATime) {
    const upTo = Math.min(done + eventsAtATime, last);
    await database.write(({ rows }) => rows.deleteFrom('events').where('id', '<=', upTo).execute());
  }
  return Math.max(0, last - oldest + 1);
}
