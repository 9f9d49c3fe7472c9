#!/usr/bin/env node
/** The `sealsum` command; what it can do is in commands.ts. */
import { argumentsOf, programFor } from './command-table.ts';
import { commands } from './commands.ts';
import { runProgram } from './program.ts';

const argv = argumentsOf(process.argv);
const program = await programFor(commands, argv);
program.hook('preAction', async () => {
  // What computes chooses by itself unless it is told, and most commands compute nothing.
  if (process.env.SEALSUM_BACKEND === undefined) return;
  const { preferBackend } = await import('../paillier/backend.ts');
  preferBackend(process.env.SEALSUM_BACKEND);
});
await runProgram(program, argv);
