/** A roster file that may change while a party runs: looked at when it is needed, at most once a second. */
import { readFileSync, statSync } from 'node:fs';
import { SealsumError } from '../errors.ts';
import type { Logger } from '../http/log.ts';
import type { Clock } from '../protocol/clock.ts';
import type { Parties } from '../protocol/parties.ts';
import { reasonOf } from './files.ts';
import { parseRoster, partiesOf, type Roster, rosterDigest } from './roster-file.ts';

/** Milliseconds between two looks at the file. */
const interval = 1000;

export interface WatchedRoster {
  /** The roster of now. */
  readonly current: () => Roster;
  readonly parties: () => Parties;
}

/**
 * Reads a roster and keeps it up to date. A file that has become bad is told to the log, once, and the last good one stays.
 *
 * Reading is synchronous: the file is small, and whoever asks checks a signature right after.
 *
 * @throws SealsumError config_invalid, identity_invalid when it cannot be read now
 */
export function watchRoster(
  path: string,
  { clock, log }: { readonly clock: Clock; readonly log: Logger },
): WatchedRoster {
  let looked = clock.monotonic();
  let seen = stateOf(path);
  let roster = read(path);
  let parties = partiesOf(roster);

  function look(): void {
    const now = clock.monotonic();
    if (now - looked < interval) return;
    looked = now;
    const state = stateOf(path);
    if (state === seen) return;
    seen = state;
    try {
      const found = read(path);
      parties = partiesOf(found);
      roster = found;
      log.info({ file: path, parties: roster.parties.length, digest: rosterDigest(roster) }, 'the roster has changed');
    } catch (error) {
      if (!(error instanceof SealsumError)) throw error;
      log.warn({ file: path, reason: error.message }, 'the roster has changed and is not valid; the last one stays');
    }
  }

  return {
    current: () => {
      look();
      return roster;
    },
    parties: () => {
      look();
      return parties;
    },
  };
}

function read(path: string): Roster {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new SealsumError('config_invalid', `${path} cannot be read: ${reasonOf(cause)}`, { field: 'roster', cause });
  }
  return parseRoster(text, path);
}

/** What changes whenever the file does. */
function stateOf(path: string): string {
  try {
    const found = statSync(path, { bigint: true });
    return `${found.ino} ${found.size} ${found.mtimeNs} ${found.ctimeNs}`;
  } catch (error) {
    return reasonOf(error);
  }
}
