/**
 * What every command of `sealsum` has in common: version, help, one clear line on standard error when something is wrong (with
 * --json one problem object), and the exit code.
 */
import { Command, CommanderError } from 'commander';
import { reasonOf } from '../config/files.ts';
import { type ErrorCode, SealsumError } from '../errors.ts';
import { version } from '../version.ts';
import { bold, hasColours } from './colours.ts';
import { printable } from './printable.ts';
import { withNearestChoice } from './suggestions.ts';

/** How the process ends; docs/command-line.md says the same. */
export const exitCodes = {
  /** What was asked for is done, and what was checked is well. */
  done: 0,
  /** Something was refused or failed, or what was checked is not well. */
  refused: 1,
  /** A command or option that makes no sense, or a file that cannot be opened. */
  usedWrongly: 2,
  /** The party that was asked does not answer, or not as one of ours. */
  notReachable: 3,
  /** The terminal is gone: SIGHUP. */
  hungUp: 129,
  /** Ctrl-C. */
  interrupted: 130,
  /** SIGTERM. */
  terminated: 143,
} as const;

const exitText = `
Examples:
  sealsum init trial
  sealsum facilitator --config trial/facilitator/config.toml
  sealsum doctor --config trial/owner-1/config.toml
  sealsum train model.json
  sealsum train --help

Exit codes: 0 done, 1 refused, 2 used wrongly, 3 not reachable, 130 interrupted (143 by SIGTERM, 129 by SIGHUP).
With --json an error is one problem object (RFC 9457) on standard error. NO_COLOR and FORCE_COLOR are honoured.`;

const usageCode = 'sealsum.usage';
const interruptedCode = 'sealsum.interrupted';

/** Thrown by a command that was used wrongly, such as with a file that cannot be opened; ends with exit code 2. */
export function usageError(message: string): CommanderError {
  return new CommanderError(exitCodes.usedWrongly, usageCode, message);
}

/** What asks a program to end. */
export type Interruption = 'SIGINT' | 'SIGTERM' | 'SIGHUP';
export const interruptingSignals: readonly Interruption[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** How it ends then. */
const interruptions: Readonly<Record<Interruption, number>> = {
  SIGINT: exitCodes.interrupted,
  SIGTERM: exitCodes.terminated,
  SIGHUP: exitCodes.hungUp,
};

/** Thrown by a command that a signal has stopped. */
export function interruptedBy(signal: Interruption, message: string): CommanderError {
  return new CommanderError(interruptions[signal], interruptedCode, message);
}

/**
 * Work that Ctrl-C, SIGTERM and the end of the terminal stop: its signal aborts, and what it throws then ends the program with the exit
 * code of an interruption. A second Ctrl-C ends the program at once.
 */
export async function untilInterrupted<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const stop = new AbortController();
  let by: Interruption | undefined;
  const interrupt = (name: NodeJS.Signals): void => {
    by ??= interruptingSignals.find((each) => each === name);
    stop.abort();
  };
  for (const name of interruptingSignals) process.once(name, interrupt);
  try {
    return await work(stop.signal);
  } catch (error) {
    const isRefusal = error instanceof SealsumError;
    // What is stopped may be told of in other words: that somebody did not answer, or as fetch has it.
    if (by === undefined || !(isRefusal || (error instanceof Error && error.name === 'AbortError'))) throw error;
    const said = isRefusal && error.code === 'aborted' ? error.message : 'stopped';
    throw interruptedBy(by, said);
  } finally {
    for (const name of interruptingSignals) process.removeListener(name, interrupt);
  }
}

/** The program without any command yet. */
export function createProgram(): Command {
  return new Command('sealsum')
    .description('Fit one linear model together on Paillier-encrypted gradients, and work with Paillier ciphertexts.')
    .version(version, '--version')
    .option('-v, --verbose', 'say each step on standard error')
    .helpCommand(false)
    .addHelpText('after', exitText)
    .configureHelp({ styleTitle: (title) => bold(title, true) })
    .configureOutput({
      getOutHasColors: () => hasColours(process.stdout, process.env),
      getErrHasColors: () => hasColours(process.stderr, process.env),
      // Whatever is thrown is said once, by runProgram.
      outputError: () => undefined,
    })
    .exitOverride();
}

/** Parses the arguments, runs the command they name, and sets the exit code of the process. Never throws. */
export async function runProgram(program: Command, argv: readonly string[]): Promise<void> {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // A reader that has seen enough closes the pipe; that is no error of ours.
    if (error.code === 'EPIPE') return;
    console.error(`sealsum: standard output cannot be written: ${reasonOf(error)}`);
    process.exitCode = exitCodes.refused;
  });
  try {
    await program.parseAsync(argv);
  } catch (error) {
    const complaint = complaintOf(error);
    if (complaint !== undefined)
      console.error(asksForJson(argv) ? JSON.stringify(await problemOf(error, complaint)) : `sealsum: ${complaint}`);
    process.exitCode = exitCodeOf(error);
  }
}

/** Help and version are no errors, although the parser ends by throwing them. */
const shown = new Set(['commander.help', 'commander.helpDisplayed', 'commander.version']);

/** What is said of an error; nothing where help was asked for and shown. Anything not thrown on purpose is told in full. */
function complaintOf(error: unknown): string | undefined {
  if (error instanceof CommanderError)
    return shown.has(error.code) ? undefined : withNearestChoice(told(error.message));
  if (error instanceof SealsumError) return told(error.message);
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) {
    if (error.code === interruptedCode) return error.exitCode;
    return error.exitCode === 0 ? exitCodes.done : exitCodes.usedWrongly;
  }
  if (!(error instanceof SealsumError)) return exitCodes.refused;
  // Whoever was asked at the terminal has ended it.
  if (error.code === 'aborted') return exitCodes.interrupted;
  // Such as --config for a folder, or for none where one is needed.
  const isOfOption = error.code === 'config_invalid' && error.field?.startsWith('--') === true;
  if (isOfOption || isOfFile(error.cause)) return exitCodes.usedWrongly;
  return unreachable.has(error.code) ? exitCodes.notReachable : exitCodes.refused;
}

const unreachable: ReadonlySet<ErrorCode> = new Set(['facilitator_unreachable', 'request_failed']);

/** Whether the system refused to open something by its path: a file that was named is not there, or not for this user. */
function isOfFile(cause: unknown): boolean {
  if (!(cause instanceof Error)) return false;
  return ('path' in cause && 'code' in cause && notOpened.has(String(cause.code))) || isOfFile(cause.cause);
}

const notOpened: ReadonlySet<string> = new Set([
  'ENOENT',
  'ENOTDIR',
  'EISDIR',
  'EACCES',
  'EPERM',
  'ELOOP',
  'ENAMETOOLONG',
]);

function asksForJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  return argv.slice(0, end === -1 ? undefined : end).includes('--json');
}

/** What --json says of an error: a problem object, without the HTTP status that it had nowhere. */
async function problemOf(error: unknown, detail: string): Promise<object> {
  const exit_code = exitCodeOf(error);
  if (error instanceof CommanderError) {
    const [kind, title] =
      error.code === interruptedCode ? ['aborted', 'The work was stopped'] : ['usage', 'The command is used wrongly'];
    return { type: `urn:sealsum:problem:${kind}`, title, detail, exit_code };
  }
  const { toProblem } = await import('../http/problem.ts');
  const { type, title, field, line } = toProblem(error);
  return {
    type,
    title,
    detail,
    exit_code,
    ...(field === undefined ? {} : { field }),
    ...(line === undefined ? {} : { line }),
  };
}

function told(text: string): string {
  const line = text
    .trim()
    .replace(/^error: /, '')
    .replaceAll(/\s*\n\s*/g, ' ');
  return printable(line);
}
