/** How the commands that look into a store are told which one: by itself, or by the config.toml of the party whose it is. */
import { type Command, Option } from 'commander';
import { readAnyConfig } from '../config/load.ts';
import type { PartyConfig } from '../config/party-config.ts';

export interface StoreOptions {
  readonly store?: string;
  readonly config?: string;
}

export interface ChosenStore {
  /** As of openDatabase. */
  readonly location: string;
  /** What the party is told, unless only the store was named. */
  readonly config?: PartyConfig;
}

export function withStoreOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--config <file>', 'the config.toml of the party (default: that of this folder)').env(
        'SEALSUM_CONFIG',
      ),
    )
    .addOption(
      new Option('--store <location>', 'the store, where it is not the one that the configuration names').env(
        'SEALSUM_STORE',
      ),
    );
}

/** A store that is named goes before the configuration, as it does when a party is started. @throws SealsumError config_invalid */
export async function chosenStore({ store, config: file }: StoreOptions): Promise<ChosenStore> {
  if (store !== undefined && file === undefined) return { location: store };
  const config = await readAnyConfig(file);
  return { location: store ?? config.store, config };
}
