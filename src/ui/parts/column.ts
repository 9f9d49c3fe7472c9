/** The head of a column of a table. */
export interface Column {
  readonly title: string;
  /** Aligned to the right. */
  readonly number?: boolean;
}

export function text(...titles: readonly string[]): readonly Column[] {
  return titles.map((title) => ({ title }));
}

export function numbers(...titles: readonly string[]): readonly Column[] {
  return titles.map((title) => ({ title, number: true }));
}
