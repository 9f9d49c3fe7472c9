/**
 * What a facilitator tells those who follow it. Every party that does has a box with the newest events that concern it, so that
 * of a thousand owners that follow a round one contribution concerns its owner and the model owner, and nobody searches the events
 * of the others for its own. Nobody acts upon a contribution: it is told with whatever comes next, or a moment later.
 */
import { SealsumError } from '../../src/errors.ts';
import { type Bell, createBell } from '../../src/http/bell.ts';
import type { Clock } from '../../src/protocol/clock.ts';
import type { JobEvent } from '../../src/protocol/events.ts';
import type { JobId, PartyId } from '../../src/protocol/identifiers.ts';
import type { Party } from '../../src/protocol/identity.ts';
import type { Parties } from '../../src/protocol/parties.ts';
import type { FacilitatorStore, RoundRecord } from '../../src/storage/facilitator-store.ts';
import type { Turns } from '../../src/threads/turns.ts';
import { belongs, type Register } from './register.ts';
import { viewRound } from './views.ts';

/** Gives the events after a number, oldest first; an empty list when there are none. */
export type EventReader = (after: number) => Promise<readonly JobEvent[]>;

export interface Feed {
  /** Takes note of events that have been committed, in the order of their numbers, and wakes whom they concern. */
  publish(events: readonly JobEvent[]): void;
  /** A commit failed, and nobody can say whether its events are in the store: everybody looks there. */
  doubt(): void;
  /** Rings when there may be events for a party. */
  bellOf(party: Party): Bell;
  /** Rings whenever anything has been committed: for the facilitator's own people. */
  readonly bell: Bell;
  /**
   * What reads the events that a party may see: of one job, or of all that it belongs to. For one reader, which goes forward
   * only: it looks once at each event that is not for it.
   */
  reader(party: Party, job?: JobId): EventReader;
}

export interface FeedDependencies {
  readonly store: FacilitatorStore;
  readonly parties: () => Parties;
  readonly clock: Clock;
  readonly turns: Turns;
  /** A job's newest round, where it is in memory. */
  readonly newestRound: (job: JobId) => RoundRecord | undefined;
}

interface Box {
  readonly bell: Bell;
  /** All events for the party with a number above `floor`, which is undefined before the first one. */
  events: JobEvent[];
  floor: number | undefined;
  /** Cancels the ring for what can wait; undefined where nothing waits for it. */
  later: (() => void) | undefined;
}

/** Events in a box: at most twice as many. */
const eventsKept = 256;

/** Milliseconds for which a contribution may wait to be told. */
const patience = 100;

/**
 * Characters of parameters, and owners, with which a round is sent along: a longer one would be sent to many who may have gone, and
 * whoever follows takes no event of more than a mebibyte (src/http/event-stream.ts); each owner is some 700 bytes of a manifest.
 */
const mostSentAlong = { parameters: 16_384, owners: 100 } as const;

/** Events that a reader takes from the store at a time. */
const eventsAtATime = 1000;

export function createFeed(dependencies: FeedDependencies, register: Register): Feed {
  const { store, parties, clock, turns, newestRound } = dependencies;
  const boxes = new Map<PartyId, Box>();
  /** Boxes whose bells are about to be rung: an event may concern thousands, and each of them does something when it hears of it. */
  const unheard = new Set<Box>();
  let isRinging = false;
  const everything = createBell();

  function boxOf(party: PartyId): Box {
    const box = boxes.get(party) ?? { bell: createBell(), events: [], floor: undefined, later: undefined };
    boxes.set(party, box);
    return box;
  }

  function put(party: PartyId, event: JobEvent): void {
    const box = boxes.get(party);
    if (box === undefined) return;
    box.floor ??= event.id - 1;
    box.events.push(event);
    if (box.events.length > 2 * eventsKept) {
      box.floor = box.events.at(-eventsKept - 1)?.id;
      box.events = box.events.slice(-eventsKept);
    }
    if (event.type === 'round.contribution')
      box.later ??= clock.after(patience, () => {
        ring(box);
      });
    else ring(box);
  }

  function ring(box: Box): void {
    box.later?.();
    box.later = undefined;
    unheard.add(box);
    if (!isRinging) void ringAll();
  }

  async function ringAll(): Promise<void> {
    isRinging = true;
    for (const box of unheard) {
      // Before it is rung: whatever is put in from then on has to ring again.
      unheard.delete(box);
      box.bell.ring();
      await turns.rest();
    }
    isRinging = false;
  }

  /** An event with the round that its reader would ask for next, as it is now. */
  function withView(event: JobEvent, party: Party): JobEvent {
    const record = isAskedAfter(event, party) ? newestRound(event.job) : undefined;
    if (record === undefined || record.state.round !== event.round) return event;
    if (record.state.status !== (event.type === 'round.opened' ? 'open' : 'closed')) return event;
    // At the root of a tree the round's owners are in the manifests of others.
    const { roster } = record.signed?.descriptor ?? record.state;
    if (roster.length > mostSentAlong.owners) return event;
    const { parameters = '', encrypted_parameters: ciphertexts = '' } = record.signed?.descriptor ?? {};
    if (parameters.length + ciphertexts.length > mostSentAlong.parameters) return event;
    return { ...event, view: viewRound(record) };
  }

  /** The events for a party after a number, from the store, and up to which number was looked. */
  async function search(party: Party, job: JobId | undefined, after: number) {
    for (let looked = after; ; ) {
      const newest = await store.lastEvent();
      const page = await store.events(looked, job, eventsAtATime);
      const last = page.at(-1)?.id ?? looked;
      const own = page.filter((event) => sees(party, event, register));
      looked = page.length < eventsAtATime ? Math.max(newest, last) : last;
      if (own.length > 0 || page.length < eventsAtATime) return { own, looked };
    }
  }

  return {
    publish: (events) => {
      for (const event of events) {
        const standing = register.get(event.job);
        if (standing === undefined) continue;
        put(standing.modelOwner, event);
        put(standing.facilitator, event);
        if (isPrivate(event)) {
          if (event.owner !== undefined) put(event.owner, event);
          continue;
        }
        for (const owner of standing.owners) put(owner, event);
        for (const child of standing.children) put(child, event);
      }
      everything.ring();
    },
    doubt: () => {
      for (const box of boxes.values()) {
        box.events = [];
        box.floor = undefined;
        ring(box);
      }
      everything.ring();
    },
    bell: everything,
    bellOf: ({ name }) => boxOf(name).bell,
    reader: (party, job) => {
      const box = boxOf(party.name);
      let looked = 0;
      return async (after) => {
        // Whoever was put off the roster file hears no more.
        if (parties().byKey(party.fingerprint) === undefined)
          throw new SealsumError('party_unknown', `the roster file no longer names this key of ${party.name}`);
        const position = Math.max(after, looked);
        if (box.floor !== undefined && position >= box.floor) {
          const first = firstAfter(box.events, position);
          return box.events
            .slice(first)
            .filter((event) => job === undefined || event.job === job)
            .map((event) => withView(event, party));
        }
        const found = await search(party, job, position);
        looked = found.looked;
        return found.own.map((event) => withView(event, party));
      };
    },
  };
}

/** Whether an event tells of one owner what the other owners need not know. */
function isPrivate({ type }: JobEvent): boolean {
  return type === 'round.contribution' || type === 'owner.answered';
}

/** Whether a party reads the round when it hears of this event. */
function isAskedAfter({ type }: JobEvent, { role }: Party): boolean {
  return role === 'data-owner' ? type === 'round.opened' : type === 'round.closed';
}

function sees(party: Party, event: JobEvent, register: Register): boolean {
  // First what is soonest decided: most events of a round are private to another owner.
  const isOfAnother = isPrivate(event) && event.owner !== party.name;
  if (party.role === 'data-owner' && isOfAnother) return false;
  const standing = register.get(event.job);
  if (standing === undefined || !belongs(party, standing)) return false;
  return !isOfAnother || !standing.children.has(party.name);
}

/** The index of the first event with a greater number, by halving. */
function firstAfter(events: readonly JobEvent[], after: number): number {
  let [low, high] = [0, events.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((events[middle]?.id ?? 0) > after) high = middle;
    else low = middle + 1;
  }
  return low;
}
