/**
 * One party as a process: options from the command line or the environment, a line that says where it listens, a clean stop
 * on Ctrl-C or SIGTERM, and one clear line when it cannot start.
 */
import { Command, InvalidArgumentError, Option } from 'commander';
import { SealsumError } from '../errors.ts';
import { version } from '../version.ts';
import { type LogLevel, logLevels } from './log.ts';
import type { RunningServer } from './server.ts';

/** What every party is told. */
export interface CommonOptions {
  readonly port: number;
  readonly host: string;
  readonly logLevel: LogLevel;
}

/** A command with the options that every party has. */
export function partyCommand(name: string, description: string, defaultPort: number): Command {
  return refuseInOneLine(new Command(name), `sealsum ${name.replace('-', ' ')}`)
    .description(description)
    .version(version)
    .addOption(
      new Option('--port <number>', 'the port to listen on; 0 for any free one')
        .env('SEALSUM_PORT')
        .default(defaultPort)
        .argParser(parsePort),
    )
    .addOption(new Option('--host <address>', 'the address to listen on').env('SEALSUM_HOST').default('127.0.0.1'))
    .addOption(
      new Option('--log-level <level>', 'how much to log, on standard error')
        .env('SEALSUM_LOG_LEVEL')
        .choices([...logLevels])
        .default('warn'),
    );
}

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

export function facilitatorOption(): Option {
  return new Option('--facilitator <url>', 'where the facilitator listens')
    .env('SEALSUM_FACILITATOR')
    .default('http://127.0.0.1:8080')
    .argParser(parseUrl);
}

function parsePort(text: string): number {
  const port = Number(text);
  if (!/^[0-9]+$/.test(text) || port > 65_535) throw new InvalidArgumentError('expected a number from 0 to 65535');
  return port;
}

function parseUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol))
    throw new InvalidArgumentError('expected a URL such as http://127.0.0.1:8080');
  return text;
}

/** Starts a party; `fail` ends it later, when what it lives for turns out to be impossible. */
export type PartyStart = (signal: AbortSignal, fail: (error: unknown) => void) => Promise<RunningServer>;

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
    server = await start(stop.signal, fail);
    console.log(`sealsum ${party} listens at ${server.url}`);
    await ended;
  } catch (error) {
    const message =
      error instanceof SealsumError ? error.message : String(error instanceof Error ? error.stack : error);
    console.error(`sealsum ${party}: ${message}`);
    process.exitCode = 1;
  }
  stop.abort();
  if (server === undefined) return;
  await server[Symbol.asyncDispose]();
  console.log(`sealsum ${party} has stopped`);
}
