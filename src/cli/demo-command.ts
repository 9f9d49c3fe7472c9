/** `sealsum demo`: the whole product on this machine, from wherever sealsum is installed. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { exitCodes, type Interruption, interruptedBy, interruptingSignals, usageError } from './program.ts';
import { wholeNumber } from './whole-number.ts';

/** The program that runs it: dist/scripts/demo.js, from dist/src/cli. */
const program = fileURLToPath(new URL('../../scripts/demo.js', import.meta.url));

const help = `
Without --data and --model it trains the linear example.

Examples:
  sealsum demo
  sealsum demo --owners 5 --json
  sealsum demo --data data.csv --model model.json`;

interface Options {
  readonly data?: string;
  readonly model?: string;
  readonly owners: number;
  readonly json: boolean;
}

export function registerDemoCommand(sealsum: Command): void {
  sealsum
    .command('demo')
    .summary('train a model with every party in a process of its own, beside pooled plaintext training')
    .description(
      'Start a facilitator, data owners and a model owner on this machine, train, compare, and remove everything.',
    )
    .option('--data <file>', 'a CSV or TSV file, whose rows are dealt out to the owners')
    .option('--model <file>', 'the model.json that describes it')
    .option('--owners <count>', 'data owners', wholeNumber(2, 50), 3)
    .option('--json', 'print one JSON object instead of a report', false)
    .addHelpText('after', help)
    .action(async ({ data, model, owners, json }: Options) => {
      if ((data === undefined) !== (model === undefined))
        throw usageError('--data and --model go together: give both or neither');
      if (!existsSync(program))
        throw usageError('the demo runs from a build: in a checkout, npm run demo builds and runs it');
      const files = data === undefined || model === undefined ? [] : ['--data', data, '--model', model];
      const { code, by } = await run([...files, '--owners', String(owners), ...(json ? ['--json'] : [])]);
      if (by !== undefined) throw interruptedBy(by, 'the demo was stopped');
      process.exitCode = code;
    });
}

/**
 * Ctrl-C in a terminal reaches both; what is sent to this process alone is passed on, since the demo has much to remove.
 *
 * @returns its exit code, and what asked it to end
 */
function run(args: readonly string[]): Promise<{ readonly code: number; readonly by: Interruption | undefined }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, ...args], { stdio: 'inherit' });
    let by: Interruption | undefined;
    const pass = (signal: NodeJS.Signals): void => {
      by ??= interruptingSignals.find((each) => each === signal);
      // A second signal of a kind would end it at once.
      child.kill(signal === 'SIGINT' ? 'SIGTERM' : signal);
    };
    for (const signal of interruptingSignals) process.on(signal, pass);
    child.once('error', reject);
    child.once('close', (code) => {
      for (const signal of interruptingSignals) process.removeListener(signal, pass);
      resolve({ code: code ?? exitCodes.refused, by });
    });
  });
}
