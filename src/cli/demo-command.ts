/** `sealsum demo`: the whole product on this machine, from wherever sealsum is installed. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { usageError } from './program.ts';

/** The program that runs it: dist/scripts/demo.js, from dist/src/cli. */
const program = fileURLToPath(new URL('../../scripts/demo.js', import.meta.url));

const help = `
Options are those of the demo itself: --data FILE and --model FILE (the linear example unless given), --owners N, --json.

Examples:
  sealsum demo
  sealsum demo --owners 5 --json
  sealsum demo --data data.csv --model model.json`;

export function registerDemoCommand(sealsum: Command): void {
  sealsum
    .command('demo')
    .summary('train a model with every party in a process of its own, beside pooled plaintext training')
    .description(
      'Start a facilitator, data owners and a model owner on this machine, train, compare, and remove everything.',
    )
    .argument('[options...]', 'passed on to the demo')
    .option('--json', 'print one JSON object instead of a report', false)
    .helpOption('-h, --help', 'show this')
    .allowUnknownOption()
    .addHelpText('after', help)
    .action(async (args: readonly string[], { json }: { readonly json: boolean }) => {
      if (!existsSync(program))
        throw usageError('the demo runs from a build: in a checkout, npm run demo builds and runs it');
      process.exitCode = await run(json ? [...args, '--json'] : args);
    });
}

/** Ctrl-C in a terminal reaches both; what is sent to this process alone is passed on, since the demo has much to remove. */
function run(args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, ...args], { stdio: 'inherit' });
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
    const pass = (signal: NodeJS.Signals): void => {
      if (signal !== 'SIGINT') child.kill(signal);
    };
    for (const signal of signals) process.on(signal, pass);
    child.once('error', reject);
    child.once('close', (code) => {
      for (const signal of signals) process.removeListener(signal, pass);
      resolve(code ?? 1);
    });
  });
}
