import { access, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { graphNames } from '../../src/inference/model/graph-cache.ts'
import { graphsFolder } from '../../src/server/config/load-config.ts'
import { readServeConfig } from '../../src/server/config/serve-config.ts'
import type { BenchOptions, BenchTask } from '../bench/bench-options.ts'
import { prepareFile, randomModelsFolder } from '../bench-files/bench-file.ts'
import { type FileReport, measureFile } from '../bench-files/measure-file.ts'
import { describeMachine, thisMachine } from '../machine.ts'
import { type RandomModel, randomModelPath } from '../random-models/random-model.ts'
import { MatrixResults } from './matrix-results.ts'
import { type MatrixRow, matrixTable } from './matrix-table.ts'

/** Measures model after model and prints one table, then one JSON document. */
export async function measureMatrix(options: BenchOptions, task: Extract<BenchTask, { kind: 'matrix' }>): Promise<void> {
  const machine = thisMachine()
  const { cpu, cores, instructions } = machine
  const { quantization, cases, capacity, threads, spinning, rounds, chunkTokens, peer, llamaBuild } = options
  const run = { quantization, capacity, threads, spinning, rounds, chunkTokens, peer, llamaBuild }
  const settings = { cpu, cores, instructions: instructions?.join(' ') ?? null, ...run, cases: JSON.stringify(cases) }
  const results = await MatrixResults.open(task.resultsPath, settings)
  const startedMs = performance.now()
  const rows: MatrixRow[] = []
  for (const [index, model] of task.models.entries()) {
    const label = `${model.shape} ${model.type}`
    const kept = results.of(nameOf(model))
    const isLate = performance.now() - startedMs > task.minutes * 60_000
    if (kept === null && !isLate) process.stderr.write(`model ${index + 1} of ${task.models.length}: ${label}\n`)
    rows.push({ label, ...(kept !== null ? { report: kept } : isLate ? { missing: 'no time' } : await measured(options, model, results)) })
  }
  console.log(`${describeMachine(machine)} before and ${thisMachine().loadAverage.toFixed(2)} after`)
  for (const versions of versionsOf(rows)) console.log(versions)
  console.log('ratio of minima, above 1: everstream is faster (milliseconds of everstream : of llama.cpp)')
  console.log(matrixTable(rows))
  console.log(JSON.stringify({ tool: 'bench matrix', date: new Date().toISOString(), machine, ...run, models: rows }))
}

/** One model that fails, for instance because its type is not supported, does not end the run. */
async function measured(
  options: BenchOptions,
  model: RandomModel,
  results: MatrixResults
): Promise<{ readonly report: FileReport } | { readonly missing: string }> {
  const ggufPath = randomModelPath(model, randomModelsFolder())
  const graphs = graphsFolder(readServeConfig([], {}).modelsFolder)
  const before = new Set([...((await exists(ggufPath)) ? [ggufPath] : []), ...(await graphNames(graphs)).map(name => join(graphs, name))])
  const made = [ggufPath]
  try {
    const file = await prepareFile(model, options)
    made.push(file.graphFolder)
    const report = await measureFile(options, file)
    await results.add(report)
    return { report }
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    process.stderr.write(`${message}\n`)
    return { missing: firstLine(message.replaceAll(`${ggufPath}: `, '')) }
  } finally {
    for (const path of made) if (!before.has(path)) await rm(path, { recursive: true, force: true })
  }
}

/** For a cell of the table. */
function firstLine(message: string): string {
  return (message.split('\n')[0] ?? '').replaceAll('|', '/').slice(0, 120)
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false
  )
}

function nameOf(model: RandomModel): string {
  return basename(randomModelPath(model, ''), '.gguf')
}

/** One line for each combination of versions; with the models that were measured with it, if there are several. */
function versionsOf(rows: readonly MatrixRow[]): readonly string[] {
  const labels = new Map<string, string[]>()
  for (const row of rows) {
    if ('missing' in row) continue
    const versions = Object.entries(row.report.versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(', ')
    labels.set(versions, [...(labels.get(versions) ?? []), row.label])
  }
  return [...labels].map(([versions, models]) => (labels.size === 1 ? versions : `${models.join(', ')}: ${versions}`))
}
