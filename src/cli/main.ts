#!/usr/bin/env node
/** The `sealsum` command: a list of what it can do. */
import { registerPaillierCommands } from './paillier-commands.ts';
import { createProgram, runProgram } from './program.ts';

const program = createProgram();
registerPaillierCommands(program);
await runProgram(program, process.argv);
