import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { cruise, type IConfiguration, type ICruiseResult, type IForbiddenRuleType } from 'dependency-cruiser'
import { afterAll, beforeAll, expect, it } from 'vitest'

const config: IConfiguration = createRequire(import.meta.url)('../../.dependency-cruiser.cjs')
const PARTS = ['tokenizer', 'weights', 'graph', 'cache', 'sampling', 'stop', 'grammar']

/** One forbidden import for every rule: [rule, importing file, what it imports]. */
const VIOLATIONS: readonly (readonly [rule: string, from: string, to: string])[] = [
  ['contract-imports-nothing', 'src/inference/contract/a.ts', 'node:fs'],
  ['contract-imports-nothing', 'src/inference/contract/b.ts', 'src/queue/queue.ts'],
  ...PARTS.map((part, at) => [`inference-${part}`, `src/inference/${part}/a.ts`, `src/inference/${PARTS.at(at - 1)}/a.ts`] as const),
  ...PARTS.map(part => [`inference-${part}`, `src/inference/${part}/b.ts`, 'src/inference/runtime/leaf.ts'] as const),
  ['inference-families', 'src/inference/families/a.ts', 'src/inference/model/leaf.ts'],
  ['inference-families', 'src/inference/families/b.ts', 'src/inference/tokenizer/b.ts'],
  ['inference-graph', 'src/inference/graph/c.ts', 'src/inference/families/ok.ts'],
  ['inference-engine', 'src/inference/engine/c.ts', 'src/inference/families/ok.ts'],
  ['inference-scheduler', 'src/inference/scheduler/a.ts', 'src/inference/cache/b.ts'],
  ['scheduler-is-pure', 'src/inference/scheduler/b.ts', 'node:timers'],
  ['inference-runtime', 'src/inference/runtime/a.ts', 'src/inference/graph/b.ts'],
  ['inference-simulated', 'src/inference/simulated/a.ts', 'src/inference/sampling/b.ts'],
  ['inference-engine', 'src/inference/engine/a.ts', 'src/inference/runtime/leaf.ts'],
  ['inference-engine', 'src/inference/engine/b.ts', 'src/inference/model/leaf.ts'],
  ['inference-model', 'src/inference/model/a.ts', 'src/inference/scheduler/leaf.ts'],
  ['queue-sees-the-contract-only', 'src/queue/log/a.ts', 'src/inference/sampling/b.ts'],
  ['queues-are-independent', 'src/queue/embedded/a.ts', 'src/queue/redis/leaf.ts'],
  ['routes-see-port-and-contract', 'src/routes/completions/a.ts', 'src/queue/redis/leaf.ts'],
  ['routes-see-port-and-contract', 'src/routes/completions/b.ts', 'src/inference/tokenizer/b.ts'],
  ['routes-see-port-and-contract', 'src/routes/completions/c.ts', 'src/server/leaf.ts'],
  ['product-stands-alone', 'src/server/a.ts', 'load/leaf.ts'],
  ['load-tools-stand-alone', 'load/a.ts', 'src/server/leaf.ts'],
  ['native-code-in-runtime', 'src/server/b.ts', 'koffi'],
  ['native-code-in-runtime', 'src/inference/model/b.ts', 'onnxruntime-node'],
  ['redis-in-queue-redis', 'src/queue/embedded/b.ts', 'bullmq'],
  ['redis-in-queue-redis', 'src/server/c.ts', 'ioredis'],
  ['no-dev-package-in-product', 'src/server/d.ts', 'vitest'],
  ['no-cycle', 'src/server/ring-a.ts', 'src/server/ring-b.ts'],
  ['resolvable', 'src/server/e.ts', 'src/server/nowhere.ts'],
  ['no-drawer', 'src/server/f.ts', 'src/server/utils/a.ts'],
  ['no-drawer', 'src/server/g.ts', 'src/server/index.ts']
]

/** Imports that the table allows: [importing file, what it imports]. */
const ALLOWED: readonly (readonly [from: string, to: string])[] = [
  ['src/server/ok.ts', 'src/inference/engine/ok.ts'],
  ['src/routes/completions/ok.ts', 'src/queue/queue.ts'],
  ['src/routes/completions/ok2.ts', 'src/inference/contract/leaf.ts'],
  ['src/queue/redis/ok.ts', 'bullmq'],
  ['src/queue/embedded/ok.ts', 'src/inference/contract/leaf.ts'],
  ['src/inference/engine/ok.ts', 'src/inference/scheduler/leaf.ts'],
  ['src/inference/engine/ok2.ts', 'src/inference/stop/leaf.ts'],
  ['src/inference/simulated/ok.ts', 'src/inference/stop/leaf.ts'],
  ['src/inference/model/ok.ts', 'src/inference/weights/leaf.ts'],
  ['src/inference/families/ok.ts', 'src/inference/graph/leaf.ts'],
  ['src/inference/families/ok2.ts', 'src/inference/weights/leaf.ts'],
  ['src/inference/model/ok3.ts', 'src/inference/families/ok.ts'],
  ['src/inference/model/ok2.ts', 'src/inference/runtime/leaf.ts'],
  ['src/inference/runtime/ok.ts', 'koffi'],
  ['src/inference/scheduler/ok.ts', 'src/inference/contract/leaf.ts']
]

const ORPHAN = 'src/server/orphan.ts'
const root = realpathSync(mkdtempSync(join(tmpdir(), 'everstream-rules-')))
let found: readonly string[]

beforeAll(async () => {
  writeTree()
  const result = await cruise(['src', 'load'], {
    ...config.options,
    baseDir: root,
    validate: true,
    ruleSet: { forbidden: config.forbidden ?? [] }
  })
  found = (result.output as ICruiseResult).summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} -> ${to}`)
})
afterAll(() => rmSync(root, { recursive: true }))

it.each(VIOLATIONS)('%s refuses %s -> %s', (rule, from, to) => {
  const target = to.startsWith('node:') ? to.slice('node:'.length) : to
  expect(found).toContainEqual(expect.stringMatching(new RegExp(`^${rule}: ${escaped(from)} -> .*${escaped(target)}`)))
})

it('no-orphan refuses a file that no other file imports', () => {
  expect(found).toContain(`no-orphan: ${ORPHAN} -> ${ORPHAN}`)
})

it('accepts the allowed imports', () => {
  const refused = ALLOWED.flatMap(([from]) => found.filter(line => line.includes(`: ${from} ->`)))
  expect(refused).toEqual([])
})

it('has at least one violation here for each rule', () => {
  const names = (config.forbidden ?? []).map((rule: IForbiddenRuleType) => rule.name)
  expect(names.filter(name => name !== 'no-orphan' && !VIOLATIONS.some(([rule]) => rule === name))).toEqual([])
})

/** A source tree of one-line files, and empty packages of the names in the rules. */
function writeTree(): void {
  const packages = ['koffi', 'onnxruntime-node', 'bullmq', 'ioredis', 'vitest']
  for (const name of packages) {
    write(`node_modules/${name}/package.json`, JSON.stringify({ name, version: '1.0.0', main: 'main.js' }))
    write(`node_modules/${name}/main.js`, 'module.exports = {}')
  }
  const dependencies = Object.fromEntries(packages.filter(name => name !== 'vitest').map(name => [name, '1.0.0']))
  write('package.json', JSON.stringify({ type: 'module', dependencies, devDependencies: { vitest: '1.0.0' } }))
  write(ORPHAN, 'export const alone = 1\n')

  const imports = [
    ...VIOLATIONS.map(([, from, to]) => [from, to] as const),
    ...ALLOWED,
    ['src/server/ring-b.ts', 'src/server/ring-a.ts'] as const
  ]
  const targets = imports.map(([, to]) => to).filter(to => to.endsWith('.ts') && !to.endsWith('nowhere.ts'))
  for (const file of targets) write(file, 'export const leaf = 1\n')
  for (const [from, to] of imports) write(from, `import '${to.endsWith('.ts') ? relative(from, to) : to}'\n`)
}

function write(file: string, text: string): void {
  mkdirSync(dirname(join(root, file)), { recursive: true })
  writeFileSync(join(root, file), text)
}

function relative(from: string, to: string): string {
  return '../'.repeat(from.split('/').length - 1) + to
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
