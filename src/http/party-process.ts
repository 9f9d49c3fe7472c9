/**
 * One party as a process: options from the command line or the environment, a line that says where it listens, a clean stop
 * on Ctrl-C or SIGTERM, and one clear line when it cannot start.
 */
import { Command, InvalidArgumentError, Option } from 'commander';
import { SealsumError } from '../errors.ts';
import { version } from './base-app.ts';
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
  return new Command(name)
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
    )
    .showHelpAfterError('(--help shows what there is)');
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

/** Starts a party, says where it listens, and stops it when the process is asked to end. Never rejects: it sets the exit code. */
export async function runParty(party: string, start: (signal: AbortSignal) => Promise<RunningServer>): Promise<void> {
  const stop = new AbortController();
  const asked = new Promise<void>((resolve) => {
    for (const name of ['SIGINT', 'SIGTERM'] as const)
      process.once(name, () => {
        // A second signal ends the process at once, as Node does without a handler.
        resolve();
      });
  });
  try {
    const server = await start(stop.signal);
    console.log(`sealsum ${party} listens at ${server.url}`);
    await asked;
    stop.abort();
    await server[Symbol.asyncDispose]();
    console.log(`sealsum ${party} has stopped`);
  } catch (error) {
    stop.abort();
    const message =
      error instanceof SealsumError ? error.message : String(error instanceof Error ? error.stack : error);
    console.error(`sealsum ${party}: ${message}`);
    process.exitCode = 1;
  }
}
