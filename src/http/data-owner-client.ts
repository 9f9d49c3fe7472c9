/** What a data owner's own people ask of it over HTTP. */
import { z } from 'zod';
import { SealsumError } from '../errors.ts';
import type { LedgerStatement } from '../privacy/ledger-statement.ts';
import { fromProblem, parseMessage } from './problem.ts';

const rho = z.object({ numerator: z.string(), denominator: z.string(), value: z.number() });
const amount = z.object({ rho, epsilon: z.number().nullable() });
const unit = z.enum(['record', 'owner']);
const neighbours = z.enum(['zero-out', 'substitution']).nullable();
const count = z.number().int();

/** The answer to GET /ledger. */
export const ledgerStatementSchema: z.ZodType<LedgerStatement> = z.object({
  spent_rho: rho,
  rounds: count,
  unprotected_rounds: count,
  caps: z.object({
    rho_per_round: rho.nullable(),
    rho_total: rho.nullable(),
    epsilon: z.number().nullable(),
    delta: z.number().nullable(),
  }),
  accounts: z.array(
    z.object({
      dataset: z.string().nullable(),
      unit,
      neighbours,
      rounds: count,
      unprotected_rounds: count,
      spent: amount,
      left: amount.nullable(),
    }),
  ),
  entries: z.array(
    z.object({
      job: z.string(),
      round: count,
      dataset: z.string().nullable(),
      rho: rho.nullable(),
      unit: unit.nullable(),
      neighbours,
      sampling: z.number().nullable(),
      at: z.string(),
    }),
  ),
});

/**
 * Asks a data owner for its ledger.
 *
 * @param url of its interface, for example http://127.0.0.1:5000
 * @throws SealsumError message_invalid for an address that is none and an answer that is not a ledger's; request_failed when it does
 *   not answer; and what it refused
 */
export async function fetchLedger(url: string, send: typeof fetch): Promise<LedgerStatement> {
  const base = url.replace(/\/+$/, '');
  if (!/^https?:/.test(base) || !URL.canParse(base))
    throw new SealsumError('message_invalid', `${url}: expected a URL such as http://127.0.0.1:5000`, { field: 'url' });
  let response: Response;
  try {
    response = await send(`${base}/ledger`, { signal: AbortSignal.timeout(60_000) });
  } catch (cause) {
    const { origin } = new URL(base);
    throw new SealsumError('request_failed', `${origin} does not answer; is the data owner running?`, { cause });
  }
  const body: unknown = await response.json().catch(() => undefined);
  if (!response.ok)
    throw fromProblem(body) ?? new SealsumError('request_failed', `${base}/ledger answered ${response.status}`);
  return parseMessage(ledgerStatementSchema, body, 'the answer to GET /ledger');
}
