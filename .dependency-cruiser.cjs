/**
 * Who may import whom: the table of the house (CONTRIBUTING.md shows it as a map). Each rule has a deliberate violation
 * in test/architecture/import-rules.test.ts, which proves that it bites.
 */

const INFERENCE = '^src/inference/'
const CONTRACT = `${INFERENCE}contract/`
const PARTS = ['tokenizer', 'weights', 'graph', 'cache', 'sampling', 'stop', 'grammar']
const anyOf = rooms => `${INFERENCE}(${rooms.join('|')})/`

/** A room of `inference/` sees itself, the contract and the rooms named; every other file of ours is out of bounds. */
function room(name, mayVisit, comment) {
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
      comment: 'The contract is the language of the house: no package, no node module, no other room.',
      severity: 'error',
      from: { path: CONTRACT },
      to: { pathNot: CONTRACT }
    },
    ...PARTS.map(name => room(name, [], 'A part imports the contract and itself, never another part.')),
    room(
      'families',
      ['graph', 'weights'],
      'A family describes its files and its graph: it sees the formats in weights and the blocks in graph.'
    ),
    room('scheduler', [], 'The scheduler is pure: it sees no tensor and no other room.'),
    {
      name: 'scheduler-is-pure',
      comment: 'The scheduler knows no clock, no file and no package.',
      severity: 'error',
      from: { path: `${INFERENCE}scheduler/` },
      to: { dependencyTypes: ['core', 'npm', 'npm-dev', 'npm-optional', 'npm-peer', 'npm-no-pkg'] }
    },
    room('runtime', [], 'The runtime is a typed layer over native code and knows nothing of models.'),
    room('simulated', ['stop'], 'The simulated engine needs no model: it shares only the stop strings.'),
    room(
      'engine',
      ['scheduler', ...PARTS],
      'The engine conducts parts and scheduler; a model reaches it as the ModelRunner of the contract.'
    ),
    room(
      'model',
      ['runtime', 'families', ...PARTS],
      'A model glues a family, weights, graph, tokenizer and cache to the runtime; it knows neither engine nor scheduler.'
    ),
    {
      name: 'queue-sees-the-contract-only',
      comment: 'The queue carries requests and events: of the other rooms it may see inference/contract.',
      severity: 'error',
      from: { path: '^src/queue/' },
      to: { path: '^(src|test|load|bin)/', pathNot: ['^src/queue/', CONTRACT] }
    },
    {
      name: 'queues-are-strangers',
      comment: 'The embedded and the Redis queue are two answers to one port: neither knows the other.',
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
      comment: 'Two files that need each other are one idea, or one of them hides a third.',
      severity: 'error',
      from: {},
      to: { circular: true }
    },
    {
      name: 'no-orphan',
      comment: 'A file that nobody imports and that imports nobody is forgotten.',
      severity: 'error',
      from: { orphan: true, pathNot: ['\\.test\\.ts$', '\\.d\\.ts$', '^test/.*fixtures/'] },
      to: {}
    },
    {
      name: 'resolvable',
      comment: 'An import must lead somewhere.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true }
    },
    {
      name: 'no-drawer',
      comment: 'No folder called utils, types, common or helpers, and no barrel file: every cycle began there.',
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
