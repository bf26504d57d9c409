/**
 * The import rules (docs/architecture.md has the diagram). Each rule has a deliberate violation
 * in test/architecture/import-rules.test.ts, which proves that it is enforced.
 */

const INFERENCE = '^src/inference/'
const CONTRACT = `${INFERENCE}contract/`
const PARTS = ['tokenizer', 'weights', 'graph', 'cache', 'sampling', 'stop', 'grammar']
const anyOf = folders => `${INFERENCE}(${folders.join('|')})/`

/** A folder of `inference/` may import itself, the contract and the folders named, and no other file of the project. */
function folderRule(name, mayVisit, comment) {
  return {
    name: `inference-${name}`,
    comment,
    severity: 'error',
    from: { path: `${INFERENCE}${name}/` },
    to: { path: '^(src|test|load|bin)/', pathNot: [CONTRACT, `${INFERENCE}${name}/`, ...(mayVisit.length > 0 ? [anyOf(mayVisit)] : [])] }
  }
}

/** A package that only one folder may know. */
function confined(name, packages, folder) {
  return {
    name,
    comment: `${packages.join(' and ')} appear only in ${folder}.`,
    severity: 'error',
    from: { path: '^(src|load)/', pathNot: `^${folder}` },
    to: { path: packages.flatMap(name => [`node_modules/${name}/`, `^${name}(/|$)`]) }
  }
}

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: 'contract-imports-nothing',
      comment: 'The contract has the types that all folders share: it imports no package, no node module and no other folder.',
      severity: 'error',
      from: { path: CONTRACT },
      to: { pathNot: CONTRACT }
    },
    ...PARTS.map(name => folderRule(name, [], 'A part imports the contract and itself, never another part.')),
    folderRule(
      'families',
      ['graph', 'weights'],
      'A family describes its files and its graph: it sees the formats in weights and the blocks in graph.'
    ),
    folderRule('scheduler', [], 'The scheduler is pure: it imports no other folder.'),
    {
      name: 'scheduler-is-pure',
      comment: 'The scheduler imports no clock, no file and no package.',
      severity: 'error',
      from: { path: `${INFERENCE}scheduler/` },
      to: { dependencyTypes: ['core', 'npm', 'npm-dev', 'npm-optional', 'npm-peer', 'npm-no-pkg'] }
    },
    folderRule('runtime', [], 'The runtime is a typed layer over native code and imports nothing about models.'),
    folderRule('simulated', ['stop'], 'The simulated engine needs no model: it shares only the stop strings.'),
    folderRule(
      'engine',
      ['scheduler', ...PARTS],
      'The engine conducts parts and scheduler; a model reaches it as the ModelRunner of the contract.'
    ),
    folderRule(
      'model',
      ['runtime', 'families', ...PARTS],
      'A model glues a family, weights, graph, tokenizer and cache to the runtime; it imports neither engine nor scheduler.'
    ),
    {
      name: 'queue-sees-the-contract-only',
      comment: 'The queue carries requests and events: of the other folders it may import inference/contract.',
      severity: 'error',
      from: { path: '^src/queue/' },
      to: { path: '^(src|test|load|bin)/', pathNot: ['^src/queue/', CONTRACT] }
    },
    {
      name: 'queues-are-independent',
      comment: 'The embedded and the Redis queue implement one port and do not import each other.',
      severity: 'error',
      from: { path: '^src/queue/(embedded|redis)/' },
      to: { path: '^src/queue/(embedded|redis)/', pathNot: '^src/queue/$1/' }
    },
    {
      name: 'routes-see-port-and-contract',
      comment: 'Routes see the queue port (src/queue/queue.ts) and inference/contract; parts come in by options.',
      severity: 'error',
      from: { path: '^src/routes/' },
      to: { path: '^(src|test|load|bin)/', pathNot: ['^src/routes/', '^src/queue/queue\\.ts$', CONTRACT] }
    },
    {
      name: 'product-stands-alone',
      comment: 'Nothing in src/ imports tests or load tools.',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^(test|load)/' }
    },
    {
      name: 'load-tools-stand-alone',
      comment: 'Load tools measure any server from outside; only a benchmark of the bare engine (load/bench*) looks inside.',
      severity: 'error',
      from: { path: '^load/', pathNot: '^load/bench' },
      to: { path: '^(src|test)/' }
    },
    confined('native-code-in-runtime', ['koffi', 'onnxruntime-node'], 'src/inference/runtime/'),
    confined('redis-in-queue-redis', ['bullmq', 'ioredis'], 'src/queue/redis/'),
    {
      name: 'no-dev-package-in-product',
      comment: 'What src/ runs on must be among the dependencies.',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['type-only'] }
    },
    {
      name: 'no-cycle',
      comment: 'Two files that import each other belong together, or share a third one.',
      severity: 'error',
      from: {},
      to: { circular: true }
    },
    {
      name: 'no-orphan',
      comment: 'A file without importers and imports is unused.',
      severity: 'error',
      from: { orphan: true, pathNot: ['\\.test\\.ts$', '\\.d\\.ts$', '^test/.*fixtures/'] },
      to: {}
    },
    {
      name: 'resolvable',
      comment: 'An import must resolve.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true }
    },
    {
      name: 'no-drawer',
      comment: 'No folder called utils, types, common or helpers, and no barrel file: they cause cycles.',
      severity: 'error',
      from: {},
      to: { path: ['/(utils?|types?|common|helpers?)/', '/index[.][cm]?[jt]s$'], pathNot: 'node_modules' }
    }
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    combinedDependencies: false,
    detectProcessBuiltinModuleCalls: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      extensions: ['.ts', '.mjs', '.cjs', '.js', '.json'],
      conditionNames: ['import', 'node', 'default', 'types']
    }
  }
}
