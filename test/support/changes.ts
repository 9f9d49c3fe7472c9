/** Every way of changing one place of a JSON value: what whoever tampers with a message can begin with. */

/** A changed value, and where it was changed. */
export interface Change<T> {
  readonly path: string;
  readonly value: T;
}

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json | undefined };

/**
 * Every leaf becomes another of its kind and another kind; every field and element is left out; every object gets a field and
 * every list an element, and two different neighbours of a list change places.
 *
 * @param skip paths that are left as they are, with everything below
 */
export function changesOf<T>(value: T, skip: readonly string[] = []): readonly Change<T>[] {
  const changes = collect(JSON.parse(JSON.stringify(value)) as Json, '', skip);
  return changes.map(({ path, value: changed }) => ({ path, value: changed as T }));
}

function collect(value: Json, path: string, skip: readonly string[]): Change<Json>[] {
  if (skip.includes(path)) return [];
  if (isList(value)) return [...ofList(value, path), ...inside(value, path, skip)];
  if (typeof value === 'object' && value !== null) return [...ofObject(value, path), ...inside(value, path, skip)];
  return leaves(value).map((other) => ({ path, value: other }));
}

function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}

function leaves(value: null | boolean | number | string): Json[] {
  if (typeof value === 'number') return [value + 1, -value - 1, String(value), null];
  if (typeof value === 'boolean') return [!value, null];
  if (value === null) return [0, {}, ''];
  return [`${value}0`, value.slice(1), spoiled(value), '', null];
}

/** Another character in the middle, of the same alphabet. */
function spoiled(text: string): string {
  const middle = text.length >> 1;
  return `${text.slice(0, middle)}${text[middle] === '1' ? '2' : '1'}${text.slice(middle + 1)}`;
}

const below = (path: string, key: string): string => (path === '' ? key : `${path}.${key}`);

function ofObject(value: { readonly [key: string]: Json | undefined }, path: string): Change<Json>[] {
  const leftOut = Object.keys(value).map((key) => ({
    path: `${below(path, key)} left out`,
    value: Object.fromEntries(Object.entries(value).filter(([other]) => other !== key)),
  }));
  return [...leftOut, { path: below(path, 'added'), value: { ...value, added: 1 } }, { path, value: null }];
}

function ofList(value: readonly Json[], path: string): Change<Json>[] {
  const changes: Change<Json>[] = [
    { path: `${path} with null`, value: [...value, null] },
    { path, value: {} },
  ];
  for (const [index, element] of value.entries()) {
    changes.push({ path: `${below(path, String(index))} left out`, value: value.toSpliced(index, 1) });
    changes.push({ path: `${below(path, String(index))} twice`, value: value.toSpliced(index, 0, element) });
    const next = value[index + 1];
    if (next !== undefined && JSON.stringify(next) !== JSON.stringify(element))
      changes.push({
        path: `${below(path, String(index))} exchanged`,
        value: value.toSpliced(index, 2, next, element),
      });
  }
  return changes;
}

function inside(value: readonly Json[] | object, path: string, skip: readonly string[]): Change<Json>[] {
  return Object.entries(value as Record<string, Json>).flatMap(([key, inner]) =>
    collect(inner, below(path, key), skip).map((change) => ({
      path: change.path,
      value: isList(value as Json)
        ? (value as readonly Json[]).with(Number(key), change.value)
        : { ...(value as Record<string, Json>), [key]: change.value },
    })),
  );
}

/** The same value with the fields of all its objects in the opposite order. */
export function reordered<T>(value: T): T {
  const turn = (each: Json): Json => {
    if (isList(each)) return each.map(turn);
    if (typeof each !== 'object' || each === null) return each;
    return Object.fromEntries(
      Object.entries(each)
        .reverse()
        .map(([key, inner]) => [key, turn(inner ?? null)]),
    );
  };
  return turn(JSON.parse(JSON.stringify(value)) as Json) as T;
}

/** An object without one of its fields. */
export function without(object: object, field: string): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).filter(([other]) => other !== field));
}
