import { BENCH_HELP, type BenchOptions, parseBenchOptions } from './bench/bench-options.ts'
import { table } from './bench/bench-report.ts'
import { prepareFile } from './bench-files/bench-file.ts'
import { measureFile } from './bench-files/measure-file.ts'
import { measureMatrix } from './bench-matrix/measure-matrix.ts'
import { measureQuality, qualityTable } from './bench-quality/measure-quality.ts'
import { describeMachine, thisMachine } from './machine.ts'
import type { RandomModel } from './random-models/random-model.ts'

try {
  const options = parseBenchOptions(process.argv.slice(2))
  if (options === null) console.log(BENCH_HELP)
  else await run(options)
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = error instanceof TypeError || error instanceof RangeError ? 2 : 1
}

async function run(options: BenchOptions): Promise<void> {
  switch (options.task.kind) {
    case 'speed':
      return await speed(options, options.task.model)
    case 'quality':
      return await quality(options, options.task.model)
    case 'matrix':
      return await measureMatrix(options, options.task)
  }
}

async function speed(options: BenchOptions, model: string | RandomModel): Promise<void> {
  const machine = thisMachine()
  const file = await prepareFile(model, options)
  console.log(`${file.name} on ${describeMachine(machine)}`)
  const { name, cases, ...report } = await measureFile(options, file)
  for (const line of report.skipped) console.log(line)
  console.log(table(cases))
  const { quantization, cacheType, threads, spinning, rounds, chunkTokens } = options
  console.log(
    JSON.stringify({
      tool: 'bench',
      machine,
      loadAverageAtEnd: thisMachine().loadAverage,
      model: name,
      quantization,
      cacheType,
      threads,
      spinning,
      rounds,
      chunkTokens,
      ...report,
      cases
    })
  )
}

async function quality(options: BenchOptions, model: string | RandomModel): Promise<void> {
  const machine = thisMachine()
  const { quantization, cacheType, threads } = options
  const file = await prepareFile(model, options)
  console.log(`${file.name}, quantization ${quantization}, cache ${cacheType}, on ${describeMachine(machine)}`)
  const report = await measureQuality(file, threads)
  console.log(qualityTable(report))
  console.log(
    JSON.stringify({ tool: 'bench quality', date: new Date().toISOString(), machine, model: file.name, quantization, cacheType, ...report })
  )
}
