/** Requests to the party that serves the page, with the session's cookie; what it refuses is an error in its own words. */
import type { Problem } from '../../http/problem.ts';

export class Refused extends Error {
  override readonly name = 'Refused';
  readonly status: number;
  /** As the party names it, such as `model_unknown`. */
  readonly code: string;
  readonly field: string | undefined;

  constructor({ status, type, detail, field }: Pick<Problem, 'status' | 'type' | 'detail' | 'field'>) {
    super(detail);
    this.status = status;
    this.code = type.replace(/^urn:sealsum:problem:/, '').replaceAll('-', '_');
    this.field = field;
  }
}

/** The party does not answer. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable';
}

/** What a party answers to whom it does not know: under /ui, and where a token would do as well. */
const signedOut: readonly string[] = ['session_missing', 'signature_missing'];

/** Called when the party says that nobody is signed in any more. */
let onSignedOut = (): void => undefined;

export function whenSignedOut(action: () => void): void {
  onSignedOut = action;
}

/**
 * @param path under the party's address, such as `/models`
 * @throws Refused, Unreachable; what fetch throws when the signal aborts
 */
export async function request<T>(path: string, init: RequestInit & { readonly json?: unknown } = {}): Promise<T> {
  const { json, ...rest } = init;
  const body =
    json === undefined ? {} : { body: JSON.stringify(json), headers: { 'content-type': 'application/json' } };
  let response: Response;
  try {
    response = await fetch(path, { credentials: 'same-origin', cache: 'no-store', ...rest, ...body });
  } catch (error) {
    if (init.signal?.aborted === true) throw error;
    throw new Unreachable('the party does not answer', { cause: error });
  }
  if (!response.ok) {
    const refused = await refusalOf(response);
    if (signedOut.includes(refused.code)) onSignedOut();
    throw refused;
  }
  return (response.status === 204 ? undefined : await response.json()) as T;
}

async function refusalOf(response: Response): Promise<Refused> {
  const problem = (await response.json().catch(() => ({}))) as Partial<Problem>;
  const { type = 'about:blank', detail = `the party answered ${response.status}`, field } = problem;
  return new Refused({ status: response.status, type, detail, ...(field === undefined ? {} : { field }) });
}

/** What went wrong, as a sentence. */
export function messageOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`;
}
