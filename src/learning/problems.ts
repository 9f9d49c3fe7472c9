/** What is refused of a job's document: the field, and what was expected there. */
import type { z } from 'zod';
import { SealsumError } from '../errors.ts';
import type { PrivacyMode } from '../privacy/mode.ts';
import { type FieldPlace, fieldName } from './fields.ts';

/** A refusal: the dotted path, and what was expected there. */
export interface Problem {
  readonly field: string;
  readonly expected: string;
}

const MOST_PROBLEMS_SHOWN = 10;

export function refuse(problems: readonly Problem[]): SealsumError {
  const shown = problems.slice(0, MOST_PROBLEMS_SHOWN).map(({ field, expected }) => `${field}: ${expected}`);
  if (problems.length > shown.length) shown.push(`and ${problems.length - shown.length} more`);
  return new SealsumError('model_invalid', shown.join('; '), { field: problems[0]?.field ?? 'model' });
}

type Issue = z.core.$ZodIssue;

/** @param explain what to say of an unknown field, where there is more to say than that it is unknown */
export function describeIssues(
  issues: readonly Issue[],
  explain: (path: readonly PropertyKey[], key: string) => string | undefined = () => undefined,
): Problem[] {
  return issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => ({
          field: dottedPath([...issue.path, key]),
          expected: explain(issue.path, key) ?? 'unknown field; remove it',
        }))
      : [{ field: dottedPath(issue.path), expected: issue.message }],
  );
}

/** `data_props.features[3].range`; `model` for the whole. */
function dottedPath(path: readonly PropertyKey[]): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else text += text === '' ? String(part) : `.${String(part)}`;
  }
  return text === '' ? 'model' : text;
}

/** A surrogate that is not one of a pair. */
const loneSurrogate = /\p{Surrogate}/u;

/** Every text is Unicode: what is not can be written to JSON and read back, and has no canonical form that could be signed. */
export function textProblems(value: unknown, path: readonly PropertyKey[]): Problem[] {
  const problem = { field: dottedPath(path), expected: 'expected Unicode text; half of a surrogate pair is none' };
  if (typeof value === 'string') return loneSurrogate.test(value) ? [problem] : [];
  if (typeof value !== 'object' || value === null) return [];
  if (Array.isArray(value)) return value.flatMap((each, index) => textProblems(each, [...path, index]));
  return Object.entries(value).flatMap(([key, each]) =>
    loneSurrogate.test(key) ? [problem] : textProblems(each, [...path, key]),
  );
}

/** Shares of the noise come from those who contribute at the least and are not silent. */
export function silenceProblems(
  { place, silent_owners: silent }: Pick<PrivacyMode, 'place' | 'silent_owners'>,
  quorum: number,
): Problem[] {
  if (silent === 0) return [];
  const field = 'privacy.silent_owners';
  if (place !== 'data-owners')
    return [{ field, expected: `only counts where place is data-owners, not ${place}; remove it` }];
  if (silent < quorum) return [];
  return [{ field, expected: `expected at most ${quorum - 1}, so that one of the quorum of ${quorum} adds noise` }];
}

/**
 * Columns: how they are named fits the header, and none is used twice.
 *
 * @param places fields and where model.json has them
 */
export function placeProblems(header: boolean, places: readonly (readonly [string, FieldPlace])[]): Problem[] {
  const problems: Problem[] = [];
  const taken = new Map<string, string>();
  for (const [path, field] of places) {
    if (field.name !== undefined && !header) {
      problems.push({
        field: `${path}.name`,
        expected: 'a file without a header has no names: give col_idx, or set data_props.header to true',
      });
    }
    const key = field.name === undefined ? 'col_idx' : 'name';
    const place = `${key} ${fieldName(field)}`;
    const other = taken.get(place);
    if (other !== undefined) {
      problems.push({
        field: `${path}.${key}`,
        expected: `${fieldName(field)} is already ${other}: every column is used once`,
      });
    }
    taken.set(place, path);
  }
  return problems;
}

export function participationProblems({
  participation: { roster, quorum, target_owners: target },
}: {
  readonly participation: {
    readonly roster?: readonly string[] | undefined;
    readonly quorum: number;
    readonly target_owners?: number | undefined;
  };
}): Problem[] {
  const most = roster?.length ?? Number.POSITIVE_INFINITY;
  return [
    ...(most >= quorum
      ? []
      : [{ field: 'participation.quorum', expected: `expected at most ${most}, the owners on the roster` }]),
    ...(target === undefined || (target >= quorum && target <= most)
      ? []
      : [
          {
            field: 'participation.target_owners',
            expected: `expected at least the quorum of ${quorum}${most === Number.POSITIVE_INFINITY ? '' : `, and at most ${most}, the owners on the roster`}`,
          },
        ]),
  ];
}
