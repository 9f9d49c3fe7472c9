/** XML 1.0 as text: elements with attributes, everything escaped. */
import { unwritable } from '../../charts/text.ts';
import { SealsumError } from '../../errors.ts';

export interface XmlElement {
  readonly name: string;
  /** Those that are undefined are left out. */
  readonly attributes?: Readonly<Record<string, string | number | undefined>>;
  readonly children?: readonly (XmlElement | string)[];
}

/**
 * The element with its declaration, indented.
 *
 * @throws SealsumError model_invalid where a text has a character that XML 1.0 cannot hold
 */
export function writeXml(root: XmlElement): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n${writeElement(root, '')}`;
}

function writeElement({ name, attributes = {}, children = [] }: XmlElement, indent: string): string {
  const given = Object.entries(attributes).flatMap(([key, value]) =>
    value === undefined ? [] : [` ${key}="${escaped(String(value))}"`],
  );
  const start = `${indent}<${name}${given.join('')}`;
  if (children.length === 0) return `${start}/>\n`;
  const [only] = children;
  if (typeof only === 'string') return `${start}>${escaped(only)}</${name}>\n`;
  const inner = children.map((child) =>
    typeof child === 'string' ? escaped(child) : writeElement(child, `${indent}  `),
  );
  return `${start}>\n${inner.join('')}${indent}</${name}>\n`;
}

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

/** Line breaks and tabs by number: readers turn them into spaces in attributes otherwise. */
function escaped(text: string): string {
  const found = unwritable.exec(text)?.[0];
  if (found !== undefined) {
    const code = found.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0');
    throw new SealsumError(
      'model_invalid',
      `a name, level or description has the character U+${code}, which XML cannot hold; take JSON or ONNX`,
      { field: 'data_props' },
    );
  }
  return text.replace(/[&<>"\t\n\r]/g, (character) => entities[character] ?? `&#${character.charCodeAt(0)};`);
}
