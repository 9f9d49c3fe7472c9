/** What `sealsum` can do: every command with its summary, and where its code is. A new command is one entry here. */
import { type CommandTable, wholeProgram } from './command-table.ts';

export const commands: CommandTable = {
  'For a project:': [
    {
      name: 'demo',
      summary: 'train a model with every party in a process of its own, beside pooled plaintext training',
      load: async () => (await import('./demo-command.ts')).registerDemoCommand,
    },
    {
      name: 'init',
      summary: 'make a project: identities, roster, configurations, invitations',
      load: async () => (await import('./init-command.ts')).registerInitCommand,
    },
    {
      name: 'invite',
      summary: 'invite one more party to a project',
      load: async () => (await import('./invite-command.ts')).registerInviteCommand,
    },
    {
      name: 'join',
      summary: 'answer an invitation with a new identity',
      load: async () => (await import('./join-command.ts')).registerJoinCommand,
    },
    {
      name: 'admit',
      summary: 'put an invited party, or the new key of a known one, into the roster',
      load: async () => (await import('./admit-command.ts')).registerAdmitCommand,
    },
    {
      name: 'fingerprints',
      summary: 'print the fingerprints of a roster',
      load: async () => (await import('./fingerprints-command.ts')).registerFingerprintsCommand,
    },
    {
      name: 'rotate',
      summary: 'give a party a new identity',
      load: async () => (await import('./rotate-command.ts')).registerRotateCommand,
    },
    {
      name: 'passphrase',
      summary: 'seal an identity under another passphrase',
      load: async () => (await import('./rotate-command.ts')).registerPassphraseCommand,
    },
  ],
  'For a party:': [
    {
      name: 'facilitator',
      summary: 'start a facilitator',
      load: async () => (await import('./party-commands.ts')).registerFacilitatorCommand,
    },
    {
      name: 'data-owner',
      summary: 'start a data owner',
      load: async () => (await import('./party-commands.ts')).registerDataOwnerCommand,
    },
    {
      name: 'model-owner',
      summary: 'start a model owner',
      load: async () => (await import('./party-commands.ts')).registerModelOwnerCommand,
    },
    {
      name: 'status',
      summary: 'show how a running party fares: jobs, rounds, models, privacy spent',
      load: async () => (await import('./status-command.ts')).registerStatusCommand,
    },
    {
      name: 'doctor',
      summary: 'look for what keeps a party from working, and say how to mend it',
      load: async () => (await import('./doctor-command.ts')).registerDoctorCommand,
    },
    {
      name: 'ledger',
      summary: 'show what a data owner has spent of its privacy, and what is left',
      load: async () => (await import('./ledger-command.ts')).registerLedgerCommand,
    },
    {
      name: 'consent',
      summary: 'list the jobs that wait for a person at a data owner, look at one, approve or refuse it',
      load: async () => (await import('./consent-command.ts')).registerConsentCommand,
    },
    {
      name: 'backup',
      summary: "copy a party's store while it is running",
      load: async () => (await import('./backup-command.ts')).registerBackupCommand,
    },
    {
      name: 'verify',
      summary: 'check an audit log, a receipt, or what became of contributions to a model',
      load: async () => (await import('./verify-command.ts')).registerVerifyCommand,
    },
    {
      name: 'verify-log',
      hidden: true,
      summary: "check a party's audit log",
      load: async () => (await import('./verify-log-command.ts')).registerVerifyLogCommand,
    },
    {
      name: 'verify-receipt',
      hidden: true,
      summary: 'check that a contribution is in its aggregate',
      load: async () => (await import('./verify-receipt-command.ts')).registerVerifyReceiptCommand,
    },
    {
      name: 'explain',
      summary: 'what lies behind a refusal, and what to do',
      load: async () => (await import('./explain-command.ts')).registerExplainCommand,
    },
  ],
  'For a model:': [
    {
      name: 'describe',
      summary: 'propose a model.json from a data file, on this machine alone',
      load: async () => (await import('./describe-command.ts')).registerDescribeCommand,
    },
    {
      name: 'estimate',
      summary: 'say what a model.json takes: seconds, bytes, memory, privacy',
      load: async () => (await import('./estimate-command.ts')).registerEstimateCommand,
    },
    {
      name: 'train',
      summary: 'train a model with the data owners, or sum statistics of their columns',
      load: async () => (await import('./train-command.ts')).registerTrainCommand,
    },
    {
      name: 'export',
      summary: 'write a finished model as JSON, PMML or ONNX, or its card',
      load: async () => (await import('./export-command.ts')).registerExportCommand,
    },
    {
      name: 'predict',
      summary: 'predict the rows of a data file with a finished model',
      load: async () => (await import('./predict-command.ts')).registerPredictCommand,
    },
    {
      name: 'privacy',
      summary: 'find the noise for a promise of privacy, or what noise promises',
      load: async () => (await import('./privacy-command.ts')).registerPrivacyCommand,
    },
    {
      name: 'simulate-training',
      summary: 'measure a training of many owners in groups, all on this machine',
      load: async () => (await import('./simulate-training-command.ts')).registerSimulateTrainingCommand,
    },
  ],
  'For numbers:': [
    {
      name: 'genpkey',
      summary: 'generate a private key',
      load: async () => (await import('./paillier-commands.ts')).registerPaillierCommands,
    },
    {
      name: 'extract',
      summary: 'extract the public key from a private key',
      load: async () => (await import('./paillier-commands.ts')).registerPaillierCommands,
    },
    {
      name: 'encrypt',
      summary: 'encrypt a number with a public key',
      load: async () => (await import('./paillier-commands.ts')).registerPaillierCommands,
    },
    {
      name: 'decrypt',
      summary: 'decrypt a number with a private key',
      load: async () => (await import('./paillier-commands.ts')).registerPaillierCommands,
    },
    {
      name: 'addenc',
      summary: 'add two encrypted numbers',
      load: async () => (await import('./paillier-commands.ts')).registerPaillierCommands,
    },
    {
      name: 'add',
      summary: 'add a number to an encrypted number',
      load: async () => (await import('./paillier-commands.ts')).registerPaillierCommands,
    },
    {
      name: 'multiply',
      summary: 'multiply an encrypted number by a number',
      load: async () => (await import('./paillier-commands.ts')).registerPaillierCommands,
    },
  ],
  'For the shell:': [
    {
      name: 'completion',
      summary: 'print a script that completes commands and options in a shell',
      load: async () => {
        const { registerCompletionCommand } = await import('./completion-command.ts');
        return (program) => {
          registerCompletionCommand(program, () => wholeProgram(commands));
        };
      },
    },
  ],
};
