#!/usr/bin/env node
/** The `sealsum` command: a list of what it can do. */
import { registerPaillierCommands } from './paillier-commands.ts';
import { createProgram, runProgram } from './program.ts';
import { registerTrainCommand } from './train-command.ts';

const program = createProgram();
registerTrainCommand(program);
registerPaillierCommands(program);
await runProgram(program, process.argv);
