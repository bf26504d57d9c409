import { join } from 'node:path'
import { prepareModel } from '../src/inference/model/prepare-model.ts'
import { modelProcessEnvironment, readEnvironment } from '../src/server/config/environment.ts'
import { graphsFolder } from '../src/server/config/load-config.ts'
import { readServeConfig } from '../src/server/config/serve-config.ts'
import { resolveModel } from '../src/server/download/fetch-model.ts'
import { caseName, type SideOptions } from './bench/bench-case.ts'
import { BENCH_HELP, type BenchOptions, parseBenchOptions } from './bench/bench-options.ts'
import { type CaseSamples, reportCase, table } from './bench/bench-report.ts'
import { BenchSide } from './bench/bench-side.ts'
import { thisMachine } from './machine.ts'
import { randomModel } from './random-models/random-model.ts'

const SILENT = { line: () => {}, problem: console.error, progress: () => ({ update: () => {}, end: () => {} }) }

try {
  const options = parseBenchOptions(process.argv.slice(2))
  if (options === null) console.log(BENCH_HELP)
  else await run(options)
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = error instanceof TypeError || error instanceof RangeError ? 2 : 1
}

async function run(options: BenchOptions): Promise<void> {
  const machine = thisMachine()
  const { name, side } = await sideOptions(options)
  console.log(`${name} on ${machine.cpu}, ${machine.cores} cores, load average ${machine.loadAverage.toFixed(2)}`)
  const ours = await BenchSide.open('bench-everstream.ts', side, modelProcessEnvironment(readEnvironment()))
  const other = options.peer
    ? await BenchSide.open(options.llamaBuild === null ? 'bench-llama.ts' : 'bench-llama-build.ts', side, readEnvironment())
    : null
  if (other !== null && 'missing' in other.readiness) console.log(other.readiness.missing)
  const peer = other !== null && 'versions' in other.readiness ? other : null
  try {
    const samples = await measureInTurn(options, ours, peer)
    const reports = samples.map(reportCase)
    console.log(table(reports))
    const { quantization, cacheType, threads, spinning, rounds, chunkTokens, capacity } = options
    console.log(
      JSON.stringify({
        tool: 'bench',
        date: new Date().toISOString(),
        machine,
        loadAverageAtEnd: thisMachine().loadAverage,
        model: name,
        quantization,
        cacheType,
        versions: { ...versionsOf(ours), ...(peer === null ? {} : versionsOf(peer)) },
        threads,
        spinning,
        rounds,
        chunkTokens,
        capacity,
        cases: reports
      })
    )
  } finally {
    ours.close()
    other?.close()
  }
}

async function sideOptions({
  model,
  quantization,
  cacheType,
  rows,
  capacity,
  threads,
  spinning,
  chunkTokens,
  llamaBuild
}: BenchOptions): Promise<{ readonly name: string; readonly side: SideOptions }> {
  const file = typeof model === 'string' ? model : await randomModel(model, join(readServeConfig([], {}).modelsFolder, '.bench'))
  const config = readServeConfig(['--model', file, '--quantization', quantization, '--cache-type', cacheType], {})
  const { name, kind, path } = await resolveModel(config, SILENT)
  if (kind !== 'gguf') throw new RangeError(`${path} is a folder; --model must be a .gguf file`)
  const { graphPath, layers, kvHeads, headDim, vocabularySize, contextLength, cacheScales } = await prepareModel({
    path,
    quantization: config.quantization,
    cacheType: config.cacheType,
    cacheFolder: graphsFolder(config.modelsFolder)
  })
  if (capacity > contextLength) throw new RangeError(`${capacity} positions are requested; the model has ${contextLength}`)
  const graph = { graphPath, layers, kvHeads, headDim, vocabularySize, cacheScales }
  return { name, side: { graph, weightsPath: path, threads, spinning, rows, capacity, chunkTokens, llamaBuild } }
}

function versionsOf({ readiness }: BenchSide): Readonly<Record<string, string>> {
  return 'versions' in readiness ? readiness.versions : {}
}

/**
 * Alternates within each round, and the first side from round to round: other load on the machine affects both alike.
 */
async function measureInTurn({ cases, rounds }: BenchOptions, ours: BenchSide, peer: BenchSide | null): Promise<CaseSamples[]> {
  const wantsMeans = peer !== null && 'meansOnly' in peer.readiness
  const samples = cases.map((what): CaseSamples => ({ what, ours: [], between: [], peer: [] }))
  for (let round = 0; round < rounds; round++) {
    for (const { what, ours: everstream, between, peer: other } of samples) {
      process.stderr.write(`round ${round + 1}/${rounds}: ${caseName(what)}\n`)
      const measureOurs = async (): Promise<void> => {
        const measured = await ours.measure(what)
        everstream.push(...(wantsMeans ? [mean(measured.native)] : measured.native))
        between.push(...measured.between)
      }
      if (round % 2 === 0) await measureOurs()
      if (peer !== null && what.kind !== 'engine') other.push(...(await peer.measure(what)).native)
      if (round % 2 === 1) await measureOurs()
    }
  }
  return samples
}

function mean(samples: readonly number[]): number {
  return samples.reduce((sum, sample) => sum + sample, 0) / samples.length
}
