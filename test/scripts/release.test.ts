/** What may be released and what must be in it. The whole of scripts/release.sh takes minutes, for it installs: it is run by hand. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { suite } from 'uvu';
import { faultsOf, greatestUnpacked, type Packed } from '../../scripts/release/contents.ts';
import { obstacles } from '../../scripts/release/readiness.ts';
import { isBuilt, root } from '../support/program.ts';
import { runProgram } from '../support/run-program.ts';

const test = suite('a release');

const changelog = '# Changelog\n\n## Unreleased\n\n## 1.2.3 (2026-01-02)\n\n- Something.\n\n## 1.2.2\n\n- Before.\n';
const ready = { version: '1.2.3', changelog, status: '', tags: ['v1.2.2'] };

test('is one where the tree is clean, and version, changelog and tags agree', () => {
  assert.deepEqual(obstacles(ready), []);
  assert.deepEqual(obstacles({ ...ready, changelog: changelog.replace('## Unreleased\n\n', '') }), []);
  assert.deepEqual(obstacles({ ...ready, changelog: changelog.replace('1.2.3 (', '[1.2.3] (') }), []);
  for (const [change, expected] of [
    [{ status: ' M a\n?? b\n' }, /the tree is not clean: 2 files/],
    [{ version: '1.3.0' }, /CHANGELOG\.md has no section "## 1\.3\.0"/],
    [{ version: '1.2' }, /is none of Semantic Versioning/],
    [{ changelog: changelog.replace('- Something.', '') }, /says nothing under "## 1\.2\.3"/],
    [
      { changelog: changelog.replace('## Unreleased\n', '## Unreleased\n\n- New.\n') },
      /still has changes under "## Unreleased"/,
    ],
    [{ tags: ['v1.2.2', 'v1.2.3'] }, /the tag v1\.2\.3 is there already/],
  ] as const) {
    const found = obstacles({ ...ready, ...change });
    assert.ok(
      found.some((line) => expected.test(line)),
      found.join('\n'),
    );
  }
});

async function packed(): Promise<Packed> {
  const { stdout } = await promisify(execFile)('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: root,
    maxBuffer: 2 ** 26,
  });
  const [only] = Object.values(JSON.parse(stdout) as Readonly<Record<string, Packed>>);
  return only ?? assert.fail('npm pack says nothing');
}

test('has what people run and import, and nothing else, as package.json says now', async () => {
  const found = await packed();
  const faults = faultsOf(found).filter((line) => isBuilt() || !/^dist\/.* is missing/.test(line));
  assert.deepEqual(faults, []);
  assert.ok(found.files.some(({ path }) => path === 'examples/linear/model.json'));
});

test('is refused for whatever lacks or does not belong there', async () => {
  const { files } = await packed();
  const sound = [...files, ...built.map((path) => ({ path, size: 1 }))];
  assert.deepEqual(faultsOf({ files: sound, unpackedSize: 1 }), []);
  for (const path of [
    'dist/src/index.d.ts',
    'dist/browser/client.js',
    'dist/scripts/demo.js',
    'dist/ui/index.html',
    'docs/troubleshooting.md',
    'examples/linear/data.csv',
  ])
    assert.deepEqual(faultsOf({ files: sound.filter((each) => each.path !== path), unpackedSize: 1 }), [
      `${path} is missing: see "files" in package.json`,
    ]);
  for (const path of [
    'test/learning/model.test.ts',
    'dist/test/x.js',
    'src/index.ts',
    'project/owner-1/identity.toml',
    'project/owner-1/config.toml',
    'project/owner-1/passphrase',
    'state.sqlite',
    'tls/server.key',
    '.env',
    'examples/private/data.csv',
    'build/kernel-linux-x64.node',
    'sealsum-0.0.9.tgz',
  ]) {
    const [fault = '', ...others] = faultsOf({ files: [...sound, { path, size: 1 }], unpackedSize: 1 });
    assert.ok(fault.startsWith(`${path} must not be in it: it is `), path);
    assert.deepEqual(others, []);
  }
  assert.match(faultsOf({ files: sound, unpackedSize: greatestUnpacked + 1 })[0] ?? '', /bytes unpacked/);
});

/** What only a build makes of what is needed. */
const built = [
  'dist/src/index.js',
  'dist/src/index.d.ts',
  'dist/src/client.js',
  'dist/src/client.d.ts',
  'dist/browser/client.js',
  'dist/ui/index.html',
  'dist/src/cli/main.js',
  'dist/ui/index.html',
  'dist/parties/data-owner/main.js',
  'dist/parties/facilitator/main.js',
  'dist/parties/model-owner/main.js',
  'dist/scripts/demo.js',
];

test('has the demo as a command, which says how it is used', async () => {
  const { code, output, errors } = await runProgram('src/cli/main.ts', ['demo', '--help']);
  assert.deepEqual([code, errors], [0, '']);
  assert.match(output, /sealsum demo --owners 5 --json/);
});

test.run();
