/** `sealsum verify receipt`, once `sealsum verify-receipt`: whether an aggregate contains what its facilitator acknowledged. */
import type { Command } from 'commander';
import { z } from 'zod';
import { partiesOf, type Roster, readRoster } from '../config/roster-file.ts';
import { SealsumError } from '../errors.ts';
import { parseMessage } from '../http/problem.ts';
import type { PartyId } from '../protocol/identifiers.ts';
import { verifyInclusion } from '../protocol/manifest.ts';
import type { Parties } from '../protocol/parties.ts';
import {
  type SignedManifest,
  type SignedReceipt,
  signedManifestSchema,
  signedReceiptSchema,
} from '../protocol/round-messages.ts';
import { objectDigest } from '../protocol/signed.ts';
import { JsonFiles } from './files.ts';
import { usageError } from './program.ts';

const help = `
RECEIPT.json holds a receipt, or all of a job's as a data owner answers at /jobs/JOB/receipts; MANIFEST.json a manifest, or
what a data owner answers at /jobs/JOB/rounds/ROUND/manifest, or a facilitator at /jobs/JOB/rounds/ROUND. - is standard input.

Examples:
  sealsum verify receipt receipt.json manifest.json --roster roster.toml
  curl -s http://127.0.0.1:5000/jobs/JOB/receipts | sealsum verify receipt - manifest.json --roster roster.toml --json`;

/** What is printed. */
interface Verdict {
  readonly included: boolean;
  readonly job: string;
  readonly round: number;
  readonly owner: string;
  /** SHA-256 of the contribution. */
  readonly digest: string;
  /** Of the manifest and of the aggregate, as the model's card has them. */
  readonly manifest_digest: string;
  readonly aggregate_digest: string;
  readonly reason?: string;
}

/** @param name `receipt` below `verify`; `verify-receipt`, as it was once called, is hidden */
export function registerVerifyReceiptCommand(
  program: Command,
  name: 'receipt' | 'verify-receipt' = 'verify-receipt',
): void {
  program
    .command(name)
    .summary('check that a contribution is in its aggregate')
    .description(
      'Check the signatures of a receipt and a manifest, and that the manifest includes what the receipt says.',
    )
    .argument('<receipt>', 'what the facilitator gave for a contribution')
    .argument('<manifest>', 'what the facilitator says went into the aggregate')
    .requiredOption('--roster <file>', 'the roster.toml with the keys of everybody')
    .option('--facilitator <name>', 'who must have signed; the only facilitator of the roster unless given')
    .option('--json', 'print one JSON object', false)
    .addHelpText('after', help)
    .action(async (receiptFile: string, manifestFile: string, options: Options) => {
      const files = new JsonFiles();
      const roster = await readRoster(options.roster);
      const facilitator = facilitatorOf(roster, options);
      const manifest = await files.read(manifestFile, parseManifest);
      const receipts = await files.read(receiptFile, parseReceipts);
      const verdict = judge(partiesOf(roster), facilitator, receiptFor(manifest, receipts), manifest);
      if (options.json) console.log(JSON.stringify(verdict));
      if (!verdict.included) {
        if (!options.json) throw new SealsumError('manifest_invalid', verdict.reason ?? 'not included');
        process.exitCode = 1;
        return;
      }
      const { owner, job, round } = verdict;
      if (!options.json) console.log(`included: the contribution of ${owner} to round ${round} of job ${job}`);
    });
}

interface Options {
  readonly roster: string;
  readonly facilitator?: string;
  readonly json: boolean;
}

function facilitatorOf({ parties }: Roster, { facilitator }: Options): PartyId {
  const named = parties.filter(({ role, name }) => role === 'facilitator' && (facilitator ?? name) === name);
  const [only, other] = named;
  if (only === undefined)
    throw usageError(`the roster names no facilitator${facilitator === undefined ? '' : ` ${facilitator}`}`);
  if (other !== undefined)
    throw usageError(`say with --facilitator which one: ${named.map(({ name }) => name).join(', ')}`);
  return only.name;
}

const manifestInAnswer = z.object({ manifest: signedManifestSchema });
const receiptsInAnswer = z.object({ receipts: z.array(signedReceiptSchema) });

function parseManifest(json: unknown): SignedManifest {
  const answer = manifestInAnswer.safeParse(json);
  return answer.success ? answer.data.manifest : parseMessage(signedManifestSchema, json, 'the manifest');
}

function parseReceipts(json: unknown): readonly SignedReceipt[] {
  const answer = receiptsInAnswer.safeParse(json);
  return answer.success ? answer.data.receipts : [parseMessage(signedReceiptSchema, json, 'the receipt')];
}

/** Of several receipts the one for the manifest's round; a single one is taken as it is, and judged. */
function receiptFor({ manifest: { job, round } }: SignedManifest, receipts: readonly SignedReceipt[]): SignedReceipt {
  const [first, ...others] = receipts;
  if (first !== undefined && others.length === 0) return first;
  const found = receipts.find(({ receipt }) => receipt.job === job && receipt.round === round);
  if (found === undefined)
    throw new SealsumError('manifest_invalid', `none of the receipts is for round ${round} of job ${job}`, {
      field: 'receipts',
    });
  return found;
}

function judge(parties: Parties, facilitator: PartyId, signed: SignedReceipt, manifest: SignedManifest): Verdict {
  const { job, round, owner, digest } = signed.receipt;
  const said = {
    job,
    round,
    owner,
    digest,
    manifest_digest: objectDigest('manifest', manifest.manifest),
    aggregate_digest: manifest.manifest.aggregate_digest,
  };
  try {
    verifyInclusion(parties, facilitator, signed, manifest);
    return { included: true, ...said };
  } catch (error) {
    if (!(error instanceof SealsumError)) throw error;
    return { included: false, ...said, reason: error.message };
  }
}
