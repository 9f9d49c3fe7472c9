/** What `sealsum doctor` finds, one thing at a time. */
import { SealsumError } from '../../errors.ts';
import { aborted } from '../../threads/aborted.ts';

export interface Finding {
  /** What was looked at, such as `identity`. */
  readonly check: string;
  /** `skipped`: it could not be looked at, and the message says why. */
  readonly status: 'ok' | 'warning' | 'problem' | 'skipped';
  readonly message: string;
  /** What to do about it: of every problem and warning. */
  readonly mend?: string;
}

/** Looks at one thing; what it throws is a problem. */
export interface Check {
  readonly name: string;
  readonly look: () => Promise<Outcome>;
  /** What to do when it is refused, beside what the refusal says; to read what is known of its kind, unless given. */
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
export async function findingsOf({ name, look, mend }: Check, signal?: AbortSignal): Promise<readonly Finding[]> {
  try {
    const outcome = await look();
    // What was stopped in the midst says nothing of what it looked at.
    if (signal?.aborted === true) throw aborted(signal);
    const found = typeof outcome === 'string' ? [ok(outcome)] : Array.isArray(outcome) ? outcome : [outcome];
    return (found as readonly Omit<Finding, 'check'>[]).map((each) => ({ check: name, ...each }));
  } catch (error) {
    if (signal?.aborted === true) throw aborted(signal);
    if (error instanceof SealsumError && error.code === 'aborted') throw error;
    const [message, type] =
      error instanceof SealsumError
        ? [error.message, error.code]
        : [`the check itself failed: ${error instanceof Error ? error.message : String(error)}`, 'internal'];
    // What the kind of refusal is about, and what helps, where nothing is known that helps here in particular.
    const help = mend ?? `sealsum explain ${type.replaceAll('_', '-')}`;
    return [{ check: name, status: 'problem', message, mend: help }];
  }
}
