/**
 * `sealsum facilitator`, `sealsum data-owner`, `sealsum model-owner`: start a party as the scripts do, in a process of its own with
 * the memory settings that suit it. The parties are above this layer: what is known of them here is where their programs are.
 */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { partyOptions } from '../config/party-options.ts';
import { SealsumError } from '../errors.ts';
import type { Role } from '../protocol/identity.ts';

interface PartyProgram {
  readonly summary: string;
  readonly description: string;
  readonly examples: readonly string[];
  /** As in scripts/run_*.sh, where the reasons are. */
  readonly environment: Readonly<Record<string, string>>;
}

/** How each party is started. */
export const partyPrograms: Readonly<Record<Role, PartyProgram>> = {
  facilitator: {
    summary: 'start a facilitator',
    description: 'Start a facilitator: it multiplies the ciphertexts of data owners and sees no value.',
    examples: ['--config project/facilitator/config.toml', '--port 0 --log-level info'],
    environment: {},
  },
  'data-owner': {
    summary: 'start a data owner',
    description: 'Start a data owner: it computes on its own records, encrypts, and contributes to sums.',
    examples: ['--config project/owner-1/config.toml --data records.csv', '--port 5001'],
    environment: {
      MALLOC_ARENA_MAX: '1',
      MALLOC_TRIM_THRESHOLD_: '131072',
      MALLOC_MMAP_THRESHOLD_: '131072',
    },
  },
  'model-owner': {
    summary: 'start a model owner',
    description: 'Start a model owner: it takes model.json files, trains them on encrypted gradients, and predicts.',
    examples: ['--config project/model-owner/config.toml', '--owners north,south --data to-predict.csv'],
    environment: {},
  },
};

export function registerFacilitatorCommand(program: Command): void {
  registerPartyCommand(program, 'facilitator');
}

export function registerDataOwnerCommand(program: Command): void {
  registerPartyCommand(program, 'data-owner');
}

export function registerModelOwnerCommand(program: Command): void {
  registerPartyCommand(program, 'model-owner');
}

function registerPartyCommand(program: Command, role: Role): void {
  const { summary, description, examples } = partyPrograms[role];
  const command = program
    .command(role)
    .summary(summary)
    .description(description)
    .addHelpText(
      'after',
      `
It says where it listens, logs JSON lines on standard error, and stops on Ctrl-C and SIGTERM. What the command line or the
environment says goes before config.toml.

Examples:
${examples.map((each) => `  sealsum ${role} ${each}`).join('\n')}`,
    )
    .action(async () => {
      process.exitCode = await runProcess(role, argumentsAfter(role, process.argv));
    });
  for (const option of partyOptions(role)) command.addOption(option);
}

/** What was said after the name of the command: the party reads it itself. */
function argumentsAfter(role: Role, argv: readonly string[]): readonly string[] {
  return argv.slice(argv.indexOf(role, 2) + 1);
}

/** Runs a party until it ends. @returns its exit code; that of a shell where a signal ended it */
function runProcess(role: Role, args: readonly string[]): Promise<number> {
  const { environment } = partyPrograms[role];
  const ending = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const main = fileURLToPath(new URL(`../../parties/${role}/main.${ending}`, import.meta.url));
  const child = spawn(process.execPath, [...process.execArgv, main, ...args], {
    stdio: 'inherit',
    env: { ...environment, ...process.env },
  });
  // A terminal sends Ctrl-C to both processes, and a second signal of the same kind would end the party at once: passed on is
  // SIGTERM, which asks for the same.
  const passOn = (): void => {
    child.kill('SIGTERM');
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const name of signals) process.on(name, passOn);
  // Whoever asks for another link of the dashboard knows this process; unheard, the signal would end it and leave the party behind.
  const announce = (): void => {
    child.kill('SIGUSR2');
  };
  if (process.platform !== 'win32') process.on('SIGUSR2', announce);
  return new Promise<number>((resolve, reject) => {
    child.once('error', (cause) => {
      reject(new SealsumError('internal', `the ${role} cannot be started: ${cause.message}`, { cause }));
    });
    child.once('close', (code, signal) => {
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
    });
  }).finally(() => {
    for (const name of signals) process.removeListener(name, passOn);
    process.removeListener('SIGUSR2', announce);
  });
}
