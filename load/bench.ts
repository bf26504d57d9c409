import { prepareModel } from '../src/inference/model/prepare-model.ts'
import { modelProcessEnvironment, readEnvironment } from '../src/server/config/environment.ts'
import { graphsFolder } from '../src/server/config/load-config.ts'
import { readServeConfig } from '../src/server/config/serve-config.ts'
import { resolveModel } from '../src/server/download/fetch-model.ts'
import { caseName, type SideOptions } from './bench-case.ts'
import { thisMachine } from './bench-machine.ts'
import { BENCH_HELP, type BenchOptions, parseBenchOptions } from './bench-options.ts'
import { type CaseSamples, reportCase, table } from './bench-report.ts'
import { BenchSide } from './bench-side.ts'

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
  if (other !== null && 'missing' in other.hello) console.log(other.hello.missing)
  const peer = other !== null && 'versions' in other.hello ? other : null
  try {
    const samples = await measureInTurn(options, ours, peer)
    const reports = samples.map(reportCase)
    console.log(table(reports))
    const { quantization, threads, spinning, rounds, chunkTokens, capacity } = options
    console.log(
      JSON.stringify({
        tool: 'bench',
        date: new Date().toISOString(),
        machine,
        loadAverageAtEnd: thisMachine().loadAverage,
        model: name,
        quantization,
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
  rows,
  capacity,
  threads,
  spinning,
  chunkTokens,
  llamaBuild
}: BenchOptions): Promise<{ readonly name: string; readonly side: SideOptions }> {
  const config = readServeConfig(['--model', model, '--quantization', quantization], {})
  const { name, kind, path } = await resolveModel(config, SILENT)
  if (kind !== 'gguf') throw new RangeError(`${path} is a folder: only a .gguf file can be compared`)
  const { graphPath, layers, kvHeads, headDim, vocabularySize, contextLength } = await prepareModel({
    path,
    quantization: config.quantization,
    cacheFolder: graphsFolder(config.modelsFolder)
  })
  if (capacity > contextLength) throw new RangeError(`${capacity} positions are asked for; the model has ${contextLength}`)
  const graph = { graphPath, layers, kvHeads, headDim, vocabularySize }
  return { name, side: { graph, weightsPath: path, threads, spinning, rows, capacity, chunkTokens, llamaBuild } }
}

function versionsOf({ hello }: BenchSide): Readonly<Record<string, string>> {
  return 'versions' in hello ? hello.versions : {}
}

/** Side by side within each round, the first place in turn: what else the machine does then hits both alike. */
async function measureInTurn({ cases, rounds }: BenchOptions, ours: BenchSide, peer: BenchSide | null): Promise<CaseSamples[]> {
  const wantsMeans = peer !== null && 'meansOnly' in peer.hello
  const samples = cases.map((what): CaseSamples => ({ what, ours: [], between: [], peer: [] }))
  for (let round = 0; round < rounds; round++) {
    for (const { what, ours: our, between, peer: their } of samples) {
      process.stderr.write(`round ${round + 1}/${rounds}: ${caseName(what)}\n`)
      const measureOurs = async (): Promise<void> => {
        const measured = await ours.measure(what)
        our.push(...(wantsMeans ? [mean(measured.native)] : measured.native))
        between.push(...measured.between)
      }
      if (round % 2 === 0) await measureOurs()
      if (peer !== null && what.kind !== 'engine') their.push(...(await peer.measure(what)).native)
      if (round % 2 === 1) await measureOurs()
    }
  }
  return samples
}

function mean(samples: readonly number[]): number {
  return samples.reduce((sum, sample) => sum + sample, 0) / samples.length
}
