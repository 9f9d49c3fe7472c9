/**
 * A party as a process that somebody keeps running, as systemd would: whatever kills it, it is started anew after a moment. It is
 * killed from outside at any instant, or kills itself at a named place (src/http/checkpoint-kill.ts).
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import type { PartyId } from '../../src/protocol/identifiers.ts';
import type { Role } from '../../src/protocol/identity.ts';
import type { Chance } from './chance.ts';
import { markedEnvironment } from './watchdog.ts';

export interface SupervisedOptions {
  readonly name: PartyId;
  readonly role: Role;
  /** Where it listens, at every start. */
  readonly url: string;
  /** The path of its main module, and what it is told. */
  readonly main: string;
  readonly args: readonly string[];
  /** For the pause before it is started anew. */
  readonly chance: Chance;
  /** Lines of its log that are of level error, or no lines of a log, and are as they should be. */
  readonly known: readonly RegExp[];
  /** Told when it ended in any other way than by being killed, and when its log says what must never be said. */
  readonly onFailed: (error: Error) => void;
}

export interface Supervised {
  readonly name: PartyId;
  readonly role: Role;
  readonly url: string;
  /** Starts it, now and whenever it was killed. */
  start(): void;
  /**
   * Names places, as NAME or NAME:COUNT, where it is to die one after the other: of each the process learns at its start.
   *
   * @param then whether it stays dead after the last of them, until `start`
   */
  arm(places: readonly string[], then?: 'restart' | 'hold'): void;
  /** Forgets the places where it has not died. */
  disarm(): void;
  /** Where it is still to die. */
  readonly armed: () => readonly string[];
  /** Where it has killed itself, in order, without counts. */
  readonly diedAt: () => readonly string[];
  /** How often it was killed from outside. */
  readonly kills: () => number;
  /** Whether its process has said that it listens. */
  readonly listens: () => boolean;
  readonly isAlive: () => boolean;
  /** kill -9; it is started anew. Resolves when the process is gone. */
  kill(): Promise<void>;
  /** kill -9; it stays dead until `start`. */
  hold(): Promise<void>;
  /** Asks it to stop and waits until it has. @throws when it does not end well */
  stop(): Promise<void>;
  /** The end of its log, and what has happened to it. */
  readonly tail: () => string;
}

/** The longest pause before a restart, in milliseconds. */
const longestPause = 200;

/** Of a log, for the report of a failure: the newest lines, and of each its beginning. */
const linesKept = 30;
const lineKept = 400;

type Child = ChildProcessByStdio<null, Readable, Readable>;

export function supervise(options: SupervisedOptions): Supervised {
  const { name, role, url, chance } = options;
  const places: string[] = [];
  const diedAt: string[] = [];
  const lines: string[] = [];
  let afterwards: 'restart' | 'hold' = 'restart';
  let wanted = false;
  let waiting = false;
  let kills = 0;
  let present: { readonly child: Child; readonly armed: string | undefined; listens: boolean } | undefined;
  /** Who ends the present process, unless it does so itself. */
  let ending: 'kill' | 'stop' | undefined;

  const isWanted = (): boolean => wanted;

  function note(line: string): void {
    lines.push(line.slice(0, lineKept));
    if (lines.length > linesKept) lines.shift();
  }

  function spawnNow(): void {
    const armed = places[0];
    const child = spawn(process.execPath, [options.main, ...options.args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...markedEnvironment(), SEALSUM_CHECKPOINT: armed ?? '' },
    });
    const process_ = { child, armed, listens: false };
    present = process_;
    ending = undefined;
    note(`--- ${name} started${armed === undefined ? '' : `, to die at ${armed}`}`);
    createInterface({ input: child.stdout }).on('line', (line) => {
      note(line);
      if (/ listens at \S+$/.test(line)) process_.listens = true;
    });
    createInterface({ input: child.stderr }).on('line', (line) => {
      note(shortened(line));
      if (isComplaint(line) && !options.known.some((each) => each.test(line)))
        options.onFailed(new Error(`${name} says: ${shortened(line)}`));
    });
    child.once('error', options.onFailed);
    child.once('close', (code, signal) => {
      present = undefined;
      ended(armed, code, signal);
    });
  }

  function ended(armed: string | undefined, code: number | null, signal: NodeJS.Signals | null): void {
    note(`--- ${name} ended: ${signal ?? code ?? 'unknown'}`);
    if (signal === 'SIGKILL' && ending === 'kill') kills += 1;
    else if (signal === 'SIGKILL' && armed !== undefined) {
      diedAt.push(nameOf(armed));
      if (places[0] === armed) places.shift();
      if (places.length === 0 && afterwards === 'hold') wanted = false;
    } else if (ending !== 'stop' || code !== 0) {
      wanted = false;
      options.onFailed(new Error(`${name} ended by itself: ${signal ?? `code ${code ?? 'unknown'}`}\n${tail()}`));
    }
    void restart();
  }

  async function restart(): Promise<void> {
    if (!isWanted() || waiting || present !== undefined) return;
    waiting = true;
    await pause(chance.below(longestPause));
    waiting = false;
    if (isWanted()) start();
  }

  function start(): void {
    wanted = true;
    if (present === undefined && !waiting) spawnNow();
  }

  async function end(how: 'kill' | 'stop'): Promise<void> {
    if (present === undefined) return;
    const { child } = present;
    const gone = once(child, 'close');
    ending = how;
    child.kill(how === 'kill' ? 'SIGKILL' : 'SIGTERM');
    await gone;
  }

  function tail(): string {
    return lines.map((line) => `  ${name} | ${line}`).join('\n');
  }

  return {
    name,
    role,
    url,
    start,
    arm: (more, then = 'restart') => {
      places.push(...more);
      afterwards = then;
    },
    disarm: () => {
      places.length = 0;
    },
    armed: () => [...places],
    diedAt: () => diedAt,
    kills: () => kills,
    listens: () => present?.listens === true,
    isAlive: () => present !== undefined,
    kill: () => end('kill'),
    hold: async () => {
      wanted = false;
      await end('kill');
    },
    stop: async () => {
      wanted = false;
      places.length = 0;
      await end('stop');
    },
    tail,
  };
}

function nameOf(place: string): string {
  return place.replace(/:[0-9]+$/, '');
}

/** A line of a log without the stack of its error, which is most of it. */
function shortened(line: string): string {
  return line.replace(/"stack":"(?:[^"\\]|\\.)*",?/, '');
}

/** Whether a line is of level error, or none of a log. One that was cut off when its process died is neither. */
function isComplaint(line: string): boolean {
  if (!line.startsWith('{')) return line !== '';
  return line.includes('"level":"error"') || line.includes('"level":"fatal"');
}
