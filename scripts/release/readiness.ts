/** Whether a checkout may be released: nothing in it that is not committed, and version and changelog agree. */

export interface Readiness {
  /** Of package.json. */
  readonly version: string;
  /** The text of CHANGELOG.md. */
  readonly changelog: string;
  /** What `git status --porcelain` prints. */
  readonly status: string;
  /** The names of all tags. */
  readonly tags: readonly string[];
}

/** What is in the way, a line each; nothing where all is well. */
export function obstacles({ version, changelog, status, tags }: Readiness): string[] {
  const found: string[] = [];
  const changed = status.split('\n').filter((line) => line.trim() !== '').length;
  if (changed > 0)
    found.push(`the tree is not clean: ${changed} files are changed or not known to git; commit or remove them`);
  if (!/^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/.test(version))
    found.push(`package.json: the version ${version} is none of Semantic Versioning`);
  const sections = sectionsOf(changelog);
  const own = sections.get(version);
  if (own === undefined)
    found.push(`CHANGELOG.md has no section "## ${version}": give what is under "## Unreleased" that title`);
  else if (own === '') found.push(`CHANGELOG.md says nothing under "## ${version}"`);
  if ((sections.get('Unreleased') ?? '') !== '')
    found.push(`CHANGELOG.md still has changes under "## Unreleased": move them to "## ${version}"`);
  if (tags.includes(`v${version}`))
    found.push(`the tag v${version} is there already: raise the version in package.json`);
  return found;
}

/** The text under every heading of the second level; a heading may go on after the version, such as with a date. */
function sectionsOf(changelog: string): Map<string, string> {
  const parts = changelog.split(/^## /m).slice(1);
  return new Map(
    parts.map((part) => {
      const [heading = '', ...lines] = part.split('\n');
      return [
        heading
          .trim()
          .split(/[\s[\]]+/)
          .find((word) => word !== '') ?? '',
        lines.join('\n').trim(),
      ];
    }),
  );
}
