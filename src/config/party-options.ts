/** What every party can be told on its command line or by environment, above its config.toml. */
import { InvalidArgumentError, Option } from 'commander';
import { logLevels } from '../http/log.ts';
import type { Role } from '../protocol/identity.ts';
import { defaultPorts } from './party-config.ts';
import { isPartyUrl } from './urls.ts';

/** The options of a role. None has a default: what is not said is for the configuration to say. */
export function partyOptions(role: Role): Option[] {
  return [
    new Option('--config <file>', 'what sealsum init or join made (default: config.toml)').env('SEALSUM_CONFIG'),
    new Option('--port <number>', `the port to listen on; 0 for any free one (default: ${defaultPorts[role]})`)
      .env('SEALSUM_PORT')
      .argParser(parsePort),
    new Option('--host <address>', 'the address to listen on (default: 127.0.0.1)').env('SEALSUM_HOST'),
    new Option('--store <path>', 'a SQLite file or a postgres:// URL (default: state.sqlite)').env('SEALSUM_STORE'),
    ...optionsOf[role](),
    new Option('--log-level <level>', 'how much to log, on standard error (default: warn)')
      .env('SEALSUM_LOG_LEVEL')
      .choices([...logLevels]),
  ];
}

const optionsOf: Readonly<Record<Role, () => Option[]>> = {
  facilitator: () => [nameOption('SEALSUM_NAME')],
  'data-owner': () => [
    nameOption('SEALSUM_OWNER'),
    facilitatorOption(),
    new Option('--data <file>', 'the CSV, TSV, JSON lines or Parquet file for jobs that name no other data set').env(
      'SEALSUM_DATA',
    ),
  ],
  'model-owner': () => [
    nameOption('SEALSUM_NAME'),
    facilitatorOption(),
    new Option('--data <file>', 'rows that every finished model predicts').env('SEALSUM_EVALUATION_DATA'),
    new Option('--owners <names>', 'who may contribute, with commas (default: all of the roster)').env(
      'SEALSUM_OWNERS',
    ),
  ],
};

function nameOption(variable: string): Option {
  return new Option('--name <name>', 'what the roster calls this party').env(variable);
}

function facilitatorOption(): Option {
  return new Option('--facilitator <url>', 'where the facilitator listens (default: what the roster says)')
    .env('SEALSUM_FACILITATOR')
    .argParser(parseUrl);
}

function parsePort(text: string): number {
  const port = Number(text);
  if (!/^[0-9]+$/.test(text) || port > 65_535) throw new InvalidArgumentError('expected a number from 0 to 65535');
  return port;
}

function parseUrl(text: string): string {
  if (!isPartyUrl(text)) throw new InvalidArgumentError('expected a URL such as http://127.0.0.1:8080');
  return text.replace(/\/+$/, '');
}
