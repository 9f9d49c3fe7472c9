/**
 * One party as a process: a line that says where it listens, another with a link to its dashboard, a clean stop on Ctrl-C or SIGTERM, and one clear line when it
 * cannot start.
 */
import { setFlagsFromString } from 'node:v8';
import type { Command } from 'commander';
import { SealsumError } from '../errors.ts';
import type { RunningServer } from './server.ts';

/** Makes a command say on one line of standard error what was wrong with its options. */
export function refuseInOneLine(command: Command, prefix: string): Command {
  return command.configureOutput({
    outputError: (text, write) => {
      const told = text
        .trim()
        .replace(/^error: /, '')
        .replaceAll(/\s*\n\s*/g, ' ');
      write(`${prefix}: ${told} (--help shows the options)\n`);
    },
  });
}

/**
 * Has garbage collected as soon as the heap has grown by 15 %. What a round needs is large and short-lived, and with a million parameters
 * V8 would leave a third of a model owner's memory to garbage, and 40 MB of a data owner's, for the 5 % of time that collecting it takes
 * (npm run bench:round, docs/performance.md).
 */
export function collectOften(): void {
  setFlagsFromString('--heap-growing-percent=15');
}

export interface StartedParty {
  readonly server: RunningServer;
  /** What is printed after the line that says where it listens, and again at SIGUSR2: a link to sign in, or why there is none. */
  readonly announcement: (url: string) => string | undefined;
}

/** Starts a party; `fail` ends it later, when what it lives for turns out to be impossible. */
export type PartyStart = (signal: AbortSignal, fail: (error: unknown) => void) => Promise<StartedParty>;

/** What was wrong, and which field or option said it where the message itself does not. */
function complaintOf(error: unknown): string {
  if (!(error instanceof SealsumError)) return String(error instanceof Error ? error.stack : error);
  const { message, field } = error;
  return field === undefined || message.includes(field) ? message : `${message} (see ${field})`;
}

/** Starts a party, says where it listens, and stops it when the process is asked to end. Never rejects: it sets the exit code. */
export async function runParty(party: string, start: PartyStart): Promise<void> {
  const stop = new AbortController();
  let fail: (error: unknown) => void = () => undefined;
  const ended = new Promise<void>((resolve, reject) => {
    fail = reject;
    // A second signal of a kind ends the process at once, as Node does without a handler.
    for (const name of ['SIGINT', 'SIGTERM'] as const)
      process.once(name, () => {
        resolve();
      });
  });
  // It may fail before it is waited for.
  ended.catch(() => undefined);
  let server: RunningServer | undefined;
  try {
    const started = await start(stop.signal, fail);
    server = started.server;
    const { url } = server;
    console.log(`sealsum ${party} listens at ${url}`);
    // Beside the log and never in it: a link lets in whoever opens it first.
    const announce = (): void => {
      const line = started.announcement(url);
      if (line !== undefined) console.log(line);
    };
    // Windows has no such signal, and says so. It would end a process that has printed its link and does not listen for it yet.
    if (process.platform !== 'win32') process.on('SIGUSR2', announce);
    announce();
    await ended;
  } catch (error) {
    console.error(`sealsum ${party}: ${complaintOf(error)}`);
    process.exitCode = 1;
  }
  stop.abort();
  if (server === undefined) return;
  await server[Symbol.asyncDispose]();
  console.log(`sealsum ${party} has stopped`);
}
