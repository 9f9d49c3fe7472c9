/** The pages of docs/api: one a chapter, in the order in which data goes its way, written from what the source says of itself. */
import type { Exported } from './read-interface.ts';

interface Chapter {
  /** The name of its page. */
  readonly file: string;
  readonly title: string;
  readonly text: string;
  /** Beginnings of paths below src; the longest of any chapter decides. */
  readonly sources: readonly string[];
}

const chapters: readonly Chapter[] = [
  {
    file: 'pipeline.md',
    title: 'The whole way',
    text: '`seal` for a data owner, `open` for the model owner; between them is `aggregate` of a facilitator.',
    sources: ['pipeline.ts'],
  },
  {
    file: 'paillier.md',
    title: 'Paillier',
    text: 'Integers in, ciphertexts out: keys, encryption, products, decryption.',
    sources: ['paillier/'],
  },
  {
    file: 'encoding.md',
    title: 'Numbers',
    text: 'Fixed point, the plan with its proof, packing, quantisation, renormalisation.',
    sources: ['encoding/'],
  },
  {
    file: 'encrypted-vectors.md',
    title: 'Encrypted vectors',
    text: 'Encrypted numbers to compute with, whose scale and bound are tracked.',
    sources: ['encoding/encrypted-vector'],
  },
  {
    file: 'privacy.md',
    title: 'Privacy',
    text: 'Clipping, exact noise, calibration, budgets, the ledger.',
    sources: ['privacy/'],
  },
  {
    file: 'accounting.md',
    title: 'Accounting',
    text: 'What noised rounds lose together, by every accountant.',
    sources: ['privacy/accounting/'],
  },
  {
    file: 'learning.md',
    title: 'Learning',
    text: 'model.json, tables, features, tasks, trainers, predictions.',
    sources: ['learning/'],
  },
  {
    file: 'statistics.md',
    title: 'Statistics',
    text: 'Moments, histograms and tables of declared columns, by the same sum.',
    sources: ['learning/statistics/'],
  },
  {
    file: 'protocol.md',
    title: 'Parties, protocol, HTTP',
    text: 'Who belongs, what a job fixes, tags, and clients of the parties.',
    sources: ['protocol/', 'config/', 'http/', 'contributing/'],
  },
  {
    file: 'vector-sum.md',
    title: 'The secure sum',
    text: 'A controller that opens rounds, and clients that each give one vector to them.',
    sources: ['vector-sum/'],
  },
  {
    file: 'averaging.md',
    title: 'Federated averaging',
    text: 'Named tensors that owners train, weighted by their examples.',
    sources: ['averaging/'],
  },
  {
    file: 'profiles.md',
    title: 'Aggregation profiles',
    text: "A program's own things as vectors, and what is summed of them as such things again.",
    sources: ['profiles/'],
  },
  {
    file: 'threads-and-errors.md',
    title: 'Threads and errors',
    text: 'What everything else rests on.',
    sources: ['threads/', 'errors.ts'],
  },
];

const made = '<!-- Written from the source by npm run docs:api; do not edit. -->';

/** @returns the text of every page by its name. @throws Error for an export that no chapter has */
export function pagesOf(exported: readonly Exported[]): Map<string, string> {
  const byChapter = new Map(chapters.map((chapter) => [chapter, [] as Exported[]]));
  for (const each of exported) byChapter.get(chapterOf(each))?.push(each);
  const pages = new Map<string, string>();
  for (const [chapter, things] of byChapter) pages.set(chapter.file, pageOf(chapter, things));
  pages.set('README.md', overview(byChapter));
  return pages;
}

function chapterOf({ name, source }: Exported): Chapter {
  const lengthIn = ({ sources }: Chapter): number =>
    Math.max(...sources.map((each) => (source.startsWith(`src/${each}`) ? each.length : 0)));
  const best = chapters.reduce((left, right) => (lengthIn(right) > lengthIn(left) ? right : left));
  if (lengthIn(best) === 0) throw new Error(`${name} of ${source} is in no chapter of scripts/api/write-pages.ts`);
  return best;
}

function overview(byChapter: ReadonlyMap<Chapter, readonly Exported[]>): string {
  const lines = [...byChapter].map(
    ([{ file, title, text }, things]) => `| [${title}](${file}) | ${text} | ${things.length} |`,
  );
  return `${made}

# The library

\`import { … } from 'sealsum'\`: everything that src/index.ts exports, in the order in which data goes its way. Shapes, units, ranges,
errors and sources are those of the docstrings; errors are codes of \`SealsumError\` ([what they mean](../troubleshooting.md)).
\`sealsum/client\` exports what owners of vector sums need, for browsers too.

| chapter | | exports |
|---|---|---|
${lines.join('\n')}
`;
}

function pageOf({ title, text }: Chapter, things: readonly Exported[]): string {
  const list = things.map(({ name }, index) => `[${name}](#${anchorOf(things, index)})`).join(' · ');
  return [made, `# ${title}`, text, list, ...things.map(entryOf)].join('\n\n').concat('\n');
}

/** As GitHub makes one of a heading: of several that are the same but for capitals all but the first get a number. */
function anchorOf(things: readonly Exported[], index: number): string {
  const names = things.map(({ name }) => name.toLowerCase());
  const anchor = names[index] ?? '';
  const before = names.slice(0, index).filter((name) => name === anchor).length;
  return before === 0 ? anchor : `${anchor}-${before}`;
}

function entryOf({ name, source, signature, doc }: Exported): string {
  const { text, params, returns, throws } = doc;
  return [
    `## ${name}`,
    `\`\`\`ts\n${signature}\n\`\`\``,
    ...(text === '' ? [] : [linked(text)]),
    ...(params.length === 0
      ? []
      : [params.map((each) => `- **${each.name}**: ${linked(each.text).replaceAll('\n', '\n  ')}`).join('\n')]),
    ...(returns === undefined ? [] : [`**Returns** ${linked(returns)}`]),
    ...throws.map((each) => `**Throws** ${linked(each)}`),
    `Source: [${source}](../../${source})`,
  ].join('\n\n');
}

/** What docstrings name in {@link …}, in code; and nothing that Markdown would take for a tag. */
function linked(text: string): string {
  return text.replaceAll(/\{@link ([^}\s]+)[^}]*\}/g, '`$1`');
}
