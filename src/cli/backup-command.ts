/** `sealsum backup`: a copy of a party's store while the party goes on. */
import type { Command } from 'commander';
import { backup } from '../storage/backup.ts';
import { untilInterrupted } from './program.ts';
import { createProgress } from './progress.ts';
import { chosenStore, type StoreOptions, withStoreOptions } from './store-options.ts';

const help = `
LOCATION is what the configuration calls store: the path of a SQLite file, or postgres://user@host/database?schema=name. Give
a password in PGPASSWORD rather than on the command line. Without --store it is the one that the config.toml names.

Whichever it is, the copy is one SQLite file, as the store was at one moment, checked, readable for nobody but its owner. To
restore it, stop the party and start it with "store" naming the copy.

Examples:
  sealsum backup --config project/facilitator/config.toml backups/monday.sqlite
  sealsum backup --store postgres://sealsum@db.example/sealsum?schema=facilitator backup.sqlite --replace --json`;

interface BackupCommandOptions extends StoreOptions {
  readonly replace: boolean;
  readonly json: boolean;
}

/** @param print takes what is said on standard output, without the newline at its end */
export function registerBackupCommand(program: Command, print: (text: string) => void = console.log): void {
  const command = program
    .command('backup')
    .summary("copy a party's store while it is running")
    .description("Make a consistent copy of a party's store, beside the process that writes to it.")
    .argument('<file>', 'the copy that is to be made')
    .option('--replace', 'replace an older file of that name', false)
    .option('--json', 'print one JSON object', false)
    .addHelpText('after', help)
    .action(async (file: string, options: BackupCommandOptions) => {
      const { location } = await chosenStore(options);
      using bar = createProgress({ what: 'copying', json: options.json });
      const made = await untilInterrupted((signal) =>
        backup(location, file, { replace: options.replace, signal, onProgress: bar.update }),
      );
      bar.stop();
      print(options.json ? JSON.stringify(made) : `${made.file}: ${made.bytes} bytes, the store of a ${made.role}`);
    });
  withStoreOptions(command);
}
