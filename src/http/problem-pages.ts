/**
 * What lies behind each kind of refusal, for people: the entries of docs/troubleshooting.md, which comes with the package. Every party
 * serves them at /problems, where the header Link of its refusals leads, and `sealsum explain` prints them.
 */
import { existsSync, readFileSync } from 'node:fs';
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Env } from 'hono';
import { SealsumError } from '../errors.ts';
import { problemPath, problemTypes } from './problem.ts';

/** The entry of one kind of refusal. */
export interface ProblemEntry {
  /** As in a problem's `type`, without the prefix: `key-invalid`. */
  readonly type: string;
  /** As in a problem's `title`. */
  readonly title: string;
  /** The HTTP status. */
  readonly status: number;
  /** A message as it may be. */
  readonly example: string;
  /** What it means and what to do, as plain text in paragraphs. */
  readonly text: string;
}

/** Three folders above this file when built, two when run from source. */
const places = ['../../../docs/troubleshooting.md', '../../docs/troubleshooting.md'];

let entries: ReadonlyMap<string, ProblemEntry> | undefined;

/** What is known of a kind of refusal; undefined for one that there is not. @param type `key-invalid`, or as a code `key_invalid` */
export function problemEntry(type: string): ProblemEntry | undefined {
  entries ??= readEntries();
  return entries.get(type.replaceAll('_', '-'));
}

function readEntries(): ReadonlyMap<string, ProblemEntry> {
  const file = places.map((place) => new URL(place, import.meta.url)).find((place) => existsSync(place));
  if (file === undefined)
    throw new SealsumError('internal', 'docs/troubleshooting.md is missing in this installation; install it again');
  const found = new Map<string, ProblemEntry>();
  const sections = readFileSync(file, 'utf8').matchAll(
    /^### (.*)\n\n\*\*(.*)\*\* · (\d+)\n\n> (.*)\n\n((?:(?!^#).*\n?)*)/gm,
  );
  for (const [, type = '', title = '', status, example = '', body = ''] of sections)
    found.set(type, { type, title, status: Number(status), example, text: asText(body) });
  return found;
}

/** Markdown as people read it in a terminal: a link is its words, with the page behind them where it is another one. */
function asText(markdown: string): string {
  return markdown
    .trim()
    .replaceAll(/\[([^\]]*)\]\(#[^)]*\)/g, '$1')
    .replaceAll(/\[([^\]]*)\]\(\.\.\/([^)#]*)[^)]*\)/g, '$1 ($2)')
    .replaceAll(/\[([^\]]*)\]\(([^)#]*)[^)]*\)/g, '$1 (docs/$2)')
    .replaceAll('**', '');
}

/** An entry as a text that stands by itself. */
export function describeProblem({ type, title, status, example, text }: ProblemEntry): string {
  return `${type}: ${title} (HTTP ${status})\n\nFor example: ${example}\n\n${text}\n`;
}

/** Adds /problems, a list, and /problems/{type}, an entry, both plain text and for everybody. */
export function serveProblems<E extends Env = Env>(app: OpenAPIHono<E>): void {
  const headers = { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-cache' };
  app.get('/problems', (context) => {
    const lines = problemTypes.map((type) => `${problemPath(type)}  ${problemEntry(type)?.title ?? ''}\n`);
    return context.body(lines.join(''), 200, headers);
  });
  app.get('/problems/:type', (context) => {
    const type = context.req.param('type');
    const entry = problemTypes.includes(type) ? problemEntry(type) : undefined;
    return entry === undefined ? context.notFound() : context.body(describeProblem(entry), 200, headers);
  });
}
