#!/usr/bin/env node
/** The `sealsum` command: a list of what it can do. */
import { preferBackend } from '../paillier/backend.ts';
import { registerBackupCommand } from './backup-command.ts';
import { registerExplainCommand } from './explain-command.ts';
import { registerLedgerCommand } from './ledger-command.ts';
import { registerPaillierCommands } from './paillier-commands.ts';
import { registerPrivacyCommand } from './privacy-command.ts';
import { createProgram, runProgram } from './program.ts';
import { registerProjectCommands } from './project-commands.ts';
import { systemServices } from './project-services.ts';
import { registerSimulateTrainingCommand } from './simulate-training-command.ts';
import { registerTrainCommand } from './train-command.ts';
import { registerVerifyLogCommand } from './verify-log-command.ts';
import { registerVerifyReceiptCommand } from './verify-receipt-command.ts';

const program = createProgram();
registerProjectCommands(program, systemServices);
registerTrainCommand(program);
registerLedgerCommand(program);
registerPrivacyCommand(program);
registerVerifyReceiptCommand(program);
registerVerifyLogCommand(program);
registerBackupCommand(program);
registerExplainCommand(program);
registerSimulateTrainingCommand(program);
registerPaillierCommands(program);
program.hook('preAction', () => {
  preferBackend(process.env.SEALSUM_BACKEND);
});
await runProgram(program, process.argv);
