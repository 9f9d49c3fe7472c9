// Layers, lowest first: a file may import from its own layer and from those before it, never from those after.
const layers = [
  '^src/(errors|version)\\.ts$',
  '^src/platform/',
  '^src/charts/',
  '^src/threads/',
  '^src/paillier/',
  '^src/encoding/',
  '^src/privacy/',
  '^src/learning/',
  '^src/pipeline\\.ts$',
  '^src/protocol/',
  '^src/storage/',
  '^src/http/',
  '^src/config/',
  '^src/(contributing|collecting)/',
  '^src/vector-sum/',
  '^src/averaging/',
  '^src/profiles/',
  '^src/(index|client|client\\.browser)\\.ts$',
  '^src/cli/',
  '^parties/',
  '^(scripts|examples|src/ui)/',
];

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    ...layers.slice(0, -1).map((layer, index) => ({
      name: `layer-${layer.replace(/[^a-z]/g, '')}-points-down`,
      severity: 'error',
      from: { path: layer },
      to: { path: layers.slice(index + 1) },
    })),
    {
      name: 'facilitator-never-reaches-secrets',
      comment: 'The facilitator multiplies ciphertexts; nothing it can load may decrypt one or hold a private key.',
      severity: 'error',
      from: { path: '^parties/facilitator/' },
      to: {
        path: '^src/(paillier/(decryptor|private-key|key-generation|native/decryption)|pipeline|index)\\.ts$',
        reachable: true,
      },
    },
    {
      name: 'parties-know-each-other-by-http-only',
      severity: 'error',
      from: { path: '^parties/([^/]+)/' },
      to: { path: '^parties/', pathNot: '^parties/$1/' },
    },
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    { name: 'not-to-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'not-to-dev-dependencies',
      severity: 'error',
      // What the dashboard's pages are made of is built into them.
      from: { path: '^(src|parties)/', pathNot: '^src/ui/' },
      to: { dependencyTypes: ['npm-dev'] },
    },
    {
      name: 'dashboard-takes-types-alone',
      comment: 'A page in a browser knows the shapes of what a party answers, and nothing of how it comes about.',
      severity: 'error',
      from: { path: '^src/ui/' },
      to: { path: '^(src|parties)/', pathNot: '^src/ui/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'dashboard-is-for-its-build-alone',
      severity: 'error',
      from: { pathNot: '^src/ui/' },
      to: { path: '^src/ui/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
  },
};
