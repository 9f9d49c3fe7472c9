/**
 * What every command of `sealsum` has in common: version, help, one clear line on standard error when something is wrong, and
 * the exit code: 0 done, 1 refused, 2 used wrongly.
 */
import { Command, CommanderError } from 'commander';
import { SealsumError } from '../errors.ts';
import { version } from '../version.ts';

/** Thrown by a command that was used wrongly, such as with a file that cannot be opened; ends with exit code 2. */
export function usageError(message: string): CommanderError {
  return new CommanderError(usageExitCode, usageCode, message);
}

const usageExitCode = 2;
const usageCode = 'sealsum.usage';

/** The program without any command yet. */
export function createProgram(): Command {
  return new Command('sealsum')
    .description('Fit one linear model together on Paillier-encrypted gradients, and work with Paillier ciphertexts.')
    .version(version, '--version')
    .option('-v, --verbose', 'say each step on standard error')
    .helpCommand(false)
    .addHelpText('after', '\nExit codes: 0 done, 1 refused, 2 used wrongly.')
    .configureOutput({
      outputError: (text, write) => {
        write(`${oneLine(text)}\n`);
      },
    })
    .exitOverride();
}

/** Parses the arguments, runs the command they name, and sets the exit code of the process. Never throws. */
export async function runProgram(program: Command, argv: readonly string[]): Promise<void> {
  // A reader that has seen enough closes the pipe; that is no error of ours.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
  try {
    await program.parseAsync(argv);
  } catch (error) {
    process.exitCode = report(error);
  }
}

/** Says on standard error what was wrong, unless the parser has done so, and gives the exit code. */
function report(error: unknown): number {
  if (error instanceof CommanderError) {
    if (error.code === usageCode) console.error(oneLine(error.message));
    return error.exitCode === 0 ? 0 : usageExitCode;
  }
  console.error(error instanceof SealsumError ? oneLine(error.message) : error);
  return 1;
}

function oneLine(text: string): string {
  const told = text
    .trim()
    .replace(/^error: /, '')
    .replaceAll(/\s*\n\s*/g, ' ');
  return `sealsum: ${told}`;
}
