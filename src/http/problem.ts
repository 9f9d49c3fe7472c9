/**
 * Errors on the wire: RFC 9457 problem details with a closed list of types, one for each error code, so that the client
 * turns what it receives back into the error that was thrown. `type` is a URN; `title` is fixed by it; `detail` says what
 * was wrong here; `field` and `line` name the place.
 */
import { z } from 'zod';
import { type ErrorCode, SealsumError } from '../errors.ts';
import { optional } from '../protocol/optional.ts';

/** The HTTP status and title of every code. */
const problems: Readonly<Record<ErrorCode, readonly [status: number, title: string]>> = {
  key_invalid: [422, 'The key is not a valid Paillier key'],
  key_too_small: [422, 'The key is too small'],
  ciphertext_invalid: [422, 'The bytes are not valid ciphertexts'],
  plaintext_out_of_range: [422, 'The plaintext is out of range'],
  exponent_out_of_range: [422, 'The exponent is out of range'],
  backend_unavailable: [500, 'The modular arithmetic backend does not work here'],
  number_not_finite: [422, 'A number is not finite'],
  number_out_of_bounds: [422, 'A number is out of bounds'],
  plan_unsafe: [422, 'The plan cannot hold the sum'],
  plan_mismatch: [422, 'The plan is not the one the model gives'],
  slot_overflow: [422, 'A slot of the sum overflowed'],
  count_mismatch: [422, 'The sum does not count its contributors'],
  weight_zero: [422, 'The sum has no weight'],
  privacy_invalid: [422, 'The privacy parameters make no sense'],
  policy_refused: [403, "The data owner's policy does not allow it"],
  consent_conflict: [409, 'The job does not wait for this decision'],
  model_invalid: [422, 'The model makes no sense'],
  data_invalid: [422, 'The data do not fit the model'],
  dataset_unknown: [404, 'There is no such data set'],
  dataset_conflict: [409, 'The data set cannot be changed like this'],
  matrix_singular: [422, 'The normal equations have no unique solution'],
  message_invalid: [400, 'The request is not as expected'],
  job_unknown: [404, 'There is no such job'],
  job_conflict: [409, 'The job exists and differs'],
  job_ended: [409, 'The job has ended'],
  owner_not_on_roster: [403, 'The owner is not on the roster'],
  owners_too_few: [409, 'There are too few data owners'],
  round_unknown: [404, 'There is no such round'],
  round_conflict: [409, 'The round cannot be opened like this'],
  round_open: [409, 'The round is still open'],
  round_closed: [409, 'The round is closed'],
  round_abandoned: [409, 'The round was abandoned'],
  contribution_conflict: [409, 'The owner has contributed other bytes'],
  tag_mismatch: [502, 'The sum does not contain what its manifest says'],
  manifest_invalid: [502, 'The manifest does not account for the aggregate'],
  identity_invalid: [422, 'The identity is not valid'],
  party_unknown: [401, 'The party is not known here'],
  signature_missing: [401, 'The request is not signed'],
  signature_invalid: [401, 'The signature is not valid'],
  signature_expired: [401, 'The signature is not of now'],
  nonce_reused: [401, 'The request was sent before'],
  role_forbidden: [403, 'The party may not do this'],
  passphrase_wrong: [422, 'The passphrase does not open the key'],
  session_missing: [401, 'Nobody is signed in'],
  login_invalid: [401, 'The login link is not valid'],
  store_unavailable: [503, 'The store does not answer'],
  log_broken: [422, 'The audit log was changed'],
  config_invalid: [422, 'The configuration makes no sense'],
  model_unknown: [404, 'There is no such model'],
  model_unfinished: [404, 'No model is finished yet'],
  route_unknown: [404, 'There is nothing at this address'],
  media_type_unsupported: [415, 'The content type is not the one expected'],
  body_too_large: [413, 'The body is too large'],
  body_too_slow: [408, 'The body did not arrive in time'],
  too_many_requests: [429, 'There are too many requests'],
  overloaded: [503, 'There is too much to do at the moment'],
  facilitator_unreachable: [503, 'The facilitator does not answer'],
  request_failed: [502, 'A request to another party failed'],
  aborted: [503, 'The work was stopped'],
  internal: [500, 'Something went wrong here'],
};

const prefix = 'urn:sealsum:problem:';

/** Every kind of refusal, as it ends a problem's `type`: `key-invalid`. */
export const problemTypes: readonly string[] = Object.keys(problems).map((code) => code.replaceAll('_', '-'));

/** Every `type` that a problem may have. */
export const problemUrns: readonly string[] = problemTypes.map((type) => prefix + type);

/** Where every party says what lies behind a kind of refusal. @param type `key-invalid` */
export function problemPath(type: string): string {
  return `/problems/${type}`;
}

export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  /** The field, column or parameter that was refused. */
  readonly field?: string;
  /** The line of a data file, counted from 1. */
  readonly line?: number;
}

export const problemSchema: z.ZodType<Problem> = z.object({
  type: z.string(),
  title: z.string(),
  status: z.number().int(),
  detail: z.string(),
  field: optional(z.string()),
  line: optional(z.number().int()),
});

/** What to answer to an error. Anything that was not thrown on purpose says nothing about itself. */
export function toProblem(error: unknown): Problem {
  const known =
    error instanceof SealsumError ? error : new SealsumError('internal', 'an unexpected error; see the log');
  const [status, title] = problems[known.code];
  return {
    type: prefix + known.code.replaceAll('_', '-'),
    title,
    status,
    detail: known.message,
    ...(known.field === undefined ? {} : { field: known.field }),
    ...(known.line === undefined ? {} : { line: known.line }),
  };
}

/** The headers of the answer to an error. `Link` (RFC 8288) leads to what lies behind its kind. */
export function problemHeaders({ type, status }: Problem, error: unknown): Record<string, string> {
  const { retryAfter, field } = error instanceof SealsumError ? error : {};
  return {
    'content-type': 'application/problem+json',
    link: `<${problemPath(type.slice(prefix.length))}>; rel="help"`,
    // RFC 9110, sections 10.2.3 and 15.5.9: when to come back, and that the rest of a body is not waited for.
    ...(status === 429 || status === 503 ? { 'retry-after': String(retryAfter ?? 1) } : {}),
    ...(status === 408 ? { connection: 'close' } : {}),
    ...(status === 401 && field === 'Authorization' ? { 'www-authenticate': 'Bearer' } : {}),
  };
}

/** The answer to an error. */
export function problemResponse(error: unknown): Response {
  const problem = toProblem(error);
  return new Response(JSON.stringify(problem), { status: problem.status, headers: problemHeaders(problem, error) });
}

/** The error that a problem stands for, or undefined when it is not one of ours. */
export function fromProblem(body: unknown): SealsumError | undefined {
  const parsed = problemSchema.safeParse(body);
  if (!parsed.success || !parsed.data.type.startsWith(prefix)) return undefined;
  const { type, detail, field, line } = parsed.data;
  const code = type.slice(prefix.length).replaceAll('-', '_');
  if (!isErrorCode(code)) return undefined;
  return new SealsumError(code, detail, {
    ...(field === undefined ? {} : { field }),
    ...(line === undefined ? {} : { line }),
  });
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(problems, code);
}

/** The longest name of a field that is repeated in an error, in characters. */
const longestField = 200;

/** Parses a message by its schema. @throws SealsumError message_invalid naming the first field that is wrong */
export function parseMessage<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw invalidMessage(parsed.error, what);
}

/** The error for what zod found, naming the first field that is wrong. */
export function invalidMessage(error: z.ZodError, what: string): SealsumError {
  const issue = error.issues[0];
  const path = issue?.code === 'unrecognized_keys' ? [...issue.path, issue.keys[0] ?? ''] : (issue?.path ?? []);
  const whole = path.map(String).join('.');
  // A name may be as long as its sender likes; an answer is not.
  const field = whole.length > longestField ? `${whole.slice(0, longestField)}…` : whole;
  const message = issue?.code === 'unrecognized_keys' ? 'is not a known field' : (issue?.message ?? 'is not valid');
  return new SealsumError('message_invalid', `${what}: ${field === '' ? '' : `${field}: `}${message}`, {
    ...(field === '' ? {} : { field }),
  });
}
