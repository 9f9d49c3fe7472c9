import type { Delimiter } from './model-types.ts';

/** As people call it in a message. */
export function delimiterName(delimiter: Delimiter): string {
  switch (delimiter) {
    case ',':
      return 'commas';
    case ';':
      return 'semicolons';
    case '\t':
      return 'tabs';
  }
}
