/** What `sealsum doctor` finds, one thing at a time. */
import { SealsumError } from '../../errors.ts';

export interface Finding {
  /** What was looked at, such as `identity`. */
  readonly check: string;
  /** `skipped`: it could not be looked at, and the message says why. */
  readonly status: 'ok' | 'warning' | 'problem' | 'skipped';
  readonly message: string;
  /** What to do about it, where the message does not say so. */
  readonly mend?: string;
}

/** Looks at one thing; what it throws is a problem. */
export interface Check {
  readonly name: string;
  readonly look: () => Promise<Outcome>;
  /** What to do when it is refused, beside what the refusal says. */
  readonly mend?: string;
}

/** A finding without its name; a text alone is that all is well. */
export type Outcome = string | Omit<Finding, 'check'> | readonly Omit<Finding, 'check'>[];

export function ok(message: string): Omit<Finding, 'check'> {
  return { status: 'ok', message };
}

export function warning(message: string, mend: string): Omit<Finding, 'check'> {
  return { status: 'warning', message, mend };
}

export function problem(message: string, mend: string): Omit<Finding, 'check'> {
  return { status: 'problem', message, mend };
}

export function skipped(message: string): Omit<Finding, 'check'> {
  return { status: 'skipped', message };
}

/** Does a check. Never rejects, but when it is stopped. @throws SealsumError aborted */
export async function findingsOf({ name, look, mend }: Check): Promise<readonly Finding[]> {
  try {
    const outcome = await look();
    const found = typeof outcome === 'string' ? [ok(outcome)] : Array.isArray(outcome) ? outcome : [outcome];
    return (found as readonly Omit<Finding, 'check'>[]).map((each) => ({ check: name, ...each }));
  } catch (error) {
    if (error instanceof SealsumError && error.code === 'aborted') throw error;
    const message =
      error instanceof SealsumError
        ? error.message
        : `the check itself failed: ${error instanceof Error ? error.message : String(error)}`;
    return [{ check: name, status: 'problem', message, ...(mend === undefined ? {} : { mend }) }];
  }
}
