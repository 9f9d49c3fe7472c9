/** TOML files read strictly: what is not known is refused by name, with the file and what may have been meant. */
import { parse, stringify, TomlError } from 'smol-toml';
import { z } from 'zod';
import { SealsumError } from '../errors.ts';
import { nearestName } from './nearest-name.ts';

/**
 * The tables of a TOML text.
 *
 * @param file names it in errors
 * @throws SealsumError config_invalid with the line where it is no TOML
 */
export function parseToml(text: string, file: string): Readonly<Record<string, unknown>> {
  try {
    return parse(text, { unsafeKeyBehaviour: 'throw', maxDepth: 16 });
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause;
    // What follows the first line is a copy of the file, in which there may be a secret.
    const why = (cause.message.split('\n')[0] ?? '').replace(/^Invalid TOML document: /, '');
    throw new SealsumError('config_invalid', `${file}, line ${cause.line}: ${why}`, { line: cause.line });
  }
}

/** A value as it stands in a TOML file behind a name, such as `port = 8080`. */
export function tomlLine(name: string, value: string | number | boolean | readonly string[]): string {
  return stringify({ [name]: value }).trimEnd();
}

/**
 * What a schema of strict objects makes of the tables.
 *
 * @param hint says of an unknown field at the top where it belongs, if it is known elsewhere
 * @throws SealsumError config_invalid naming the file, the first field that is wrong, and the mend
 */
export function checkToml<T>(
  schema: z.ZodType<T>,
  tables: unknown,
  file: string,
  hint: (field: string) => string | undefined = () => undefined,
): T {
  const parsed = schema.safeParse(tables);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const path = issue?.path ?? [];
  if (issue?.code === 'unrecognized_keys') {
    const unknown = issue.keys[0] ?? '';
    const field = fieldName([...path, unknown]);
    const known = knownNames(schema, path);
    const nearest = nearestName(unknown, known);
    const mend =
      (path.length === 0 ? hint(unknown) : undefined) ??
      (nearest === undefined ? `known here are ${known.join(', ')}` : `did you mean ${fieldName([...path, nearest])}?`);
    throw new SealsumError('config_invalid', `${file}: ${field} is not a known field; ${mend}`, { field });
  }
  const field = fieldName(path);
  const message = (issue?.message ?? '')
    .replace(/^Invalid (input|option): /, '')
    .replace(
      /^Too (big|small): expected number to be ([<>]=?)/,
      (_all, _what, bound: string) => `expected ${bounds[bound] ?? bound} `,
    );
  const absent = /^expected (.*), received undefined$/.exec(message)?.[1];
  // A value by itself, such as one of the command line, is called what the file would be.
  const at = field === '' ? '' : `${field}: `;
  const why = absent === undefined ? `${at}${message}` : `${field} is missing; expected ${absent}`;
  throw new SealsumError('config_invalid', `${file}: ${why}`, { field: field === '' ? file : field });
}

const bounds: Readonly<Record<string, string>> = {
  '<=': 'at most',
  '>=': 'at least',
  '<': 'less than',
  '>': 'more than',
};

/** A path as people count: `party 2.key` is the key of the second [[party]]. */
function fieldName(path: readonly PropertyKey[]): string {
  return path
    .map((part) => (typeof part === 'number' ? ` ${part + 1}` : `.${String(part)}`))
    .join('')
    .replace(/^\./, '');
}

/** The names that the schema knows at a place. */
function knownNames(schema: unknown, path: readonly PropertyKey[]): string[] {
  let here = unwrapped(schema);
  for (const part of path) {
    if (here instanceof z.ZodArray) here = unwrapped(here.element);
    else if (here instanceof z.ZodRecord) here = unwrapped(here.valueType);
    else if (here instanceof z.ZodObject) here = unwrapped((here.shape as Record<PropertyKey, unknown>)[part]);
  }
  return here instanceof z.ZodObject ? Object.keys(here.shape) : [];
}

function unwrapped(schema: unknown): unknown {
  let here = schema;
  while (
    here instanceof z.ZodOptional ||
    here instanceof z.ZodExactOptional ||
    here instanceof z.ZodDefault ||
    here instanceof z.ZodPrefault
  )
    here = here.unwrap();
  return here;
}
