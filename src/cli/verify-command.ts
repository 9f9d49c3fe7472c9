/** `sealsum verify`: what can be checked of what was kept: an audit log, a receipt, all contributions of an owner to a model. */
import type { Command } from 'commander';
import { registerVerifyLogCommand } from './verify-log-command.ts';
import { registerVerifyModelCommand } from './verify-model-command.ts';
import { registerVerifyReceiptCommand } from './verify-receipt-command.ts';

const help = `
Examples:
  sealsum verify log --config project/facilitator/config.toml
  sealsum verify receipt receipt.json manifest.json --roster roster.toml
  sealsum verify model 0b3kq2vmlxse --config project/owner-1/config.toml

Exit code 0 says that it is as it should be, 1 that it is not, and why.`;

export function registerVerifyCommand(program: Command): void {
  const command = program
    .command('verify')
    .summary('check an audit log, a receipt, or what became of contributions to a model')
    .description('Check signatures and digests of what was kept, on any machine that has the roster.')
    .addHelpText('after', help);
  registerVerifyLogCommand(command, console.log, 'log');
  registerVerifyReceiptCommand(command, 'receipt');
  registerVerifyModelCommand(command);
}
