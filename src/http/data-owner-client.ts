/** What a data owner's own people ask of it over HTTP. */
import { SealsumError } from '../errors.ts';
import type { LedgerStatement } from '../privacy/ledger-statement.ts';
import { ledgerStatementSchema } from './ledger-schema.ts';
import { fromProblem, parseMessage } from './problem.ts';

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
