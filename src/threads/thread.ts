/** The side of a thread: functions that threads run answer with what they found or with why they refused. */
import { move, transferableSymbol, valueSymbol } from 'piscina';
import { type ErrorCode, type ErrorDetails, SealsumError } from '../errors.ts';

/** Errors lose their class on the way from one thread to another, so a refusal travels as what it says. */
export type Answer<Result> =
  | { readonly result: Result }
  | { readonly refused: { readonly code: ErrorCode; readonly message: string } & Pick<ErrorDetails, 'field' | 'line'> };

/** What a thread's module exports. */
export type ThreadFunction<Input, Result> = (input: Input) => Promise<Answer<Result>>;

/**
 * `work` for threads: its refusals arrive as such.
 *
 * @param views parts of a result whose memory goes with it and is not copied: a thread would hold it until it tidies up
 */
export function answering<Input, Result>(
  work: (input: Input) => Result | Promise<Result>,
  views: (result: Result) => readonly ArrayBufferView[] = () => [],
): ThreadFunction<Input, Result> {
  return async (input) => {
    try {
      const result = await work(input);
      return moving({ result }, views(result).flatMap(ownMemory));
    } catch (error) {
      if (!(error instanceof SealsumError)) throw error;
      const { code, message, field, line } = error;
      const place = { ...(field === undefined ? {} : { field }), ...(line === undefined ? {} : { line }) };
      return { refused: { code, message, ...place } };
    }
  };
}

/** A view's memory, unless others share it: small Buffers have one in common. */
function ownMemory({ buffer, byteLength }: ArrayBufferView): readonly ArrayBuffer[] {
  return buffer instanceof ArrayBuffer && buffer.byteLength === byteLength ? [buffer] : [];
}

/** The same value, which takes these along when it goes to another thread. */
function moving<Value extends object>(value: Value, memories: readonly ArrayBuffer[]): Value {
  if (memories.length === 0) return value;
  return move({
    get [transferableSymbol]() {
      return memories;
    },
    get [valueSymbol]() {
      return value;
    },
  }) as unknown as Value;
}

/** The other side: what was found. @throws SealsumError what was refused */
export function resultOf<Result>(answer: Answer<Result>): Result {
  if ('result' in answer) return answer.result;
  const { code, message, ...place } = answer.refused;
  throw new SealsumError(code, message, place);
}

/** A few values that took long to make, by their names: the least recently used is forgotten. */
export function remembering<Value>(most: number): (name: string, make: () => Value) => Value {
  const kept = new Map<string, Value>();
  return (name, make) => {
    const value = kept.get(name) ?? make();
    kept.delete(name);
    kept.set(name, value);
    for (const oldest of kept.keys()) {
      if (kept.size <= most) break;
      kept.delete(oldest);
    }
    return value;
  };
}
