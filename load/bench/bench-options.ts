import { parseArgs } from 'node:util'
import { wholeNumber } from '../number-option.ts'
import { isMixtureName, MIXTURE_NAMES } from '../random-models/mixtures.ts'
import type { RandomModel } from '../random-models/random-model.ts'
import { isShapeName, SHAPE_NAMES } from '../random-models/shapes.ts'
import type { BenchCase } from './bench-case.ts'

export const BENCH_HELP = `Measures the engine without a server: native runs. With load/peers installed, or --llama-build, llama.cpp runs the same file alternately.
The last line is one JSON document. Exit code 2: wrong options.

  npm run bench -- [options]

  --model NAME|PATH        model of the catalogue, or a .gguf file (default smollm2-135m-instruct)
  --shape NAME             instead: a Llama of random weights, written to models/.bench/ once: ${SHAPE_NAMES.join(', ')}
  --type NAME              its type (default Q4_0): ${MIXTURE_NAMES.join(', ')}
  --quantization FORM      of everstream's weights: none, int8 or auto, as in the server (default auto)
  --cache-type TYPE        of everstream's cache: f32 or int8 (default f32)
  --rows N[,N...]          rows of a decode step (default 1,4,8,16,32)
  --contexts N[,N...]      positions before each decode step (default 128)
  --prefill N[,N...]       prompt lengths; 0: none (default 512)
  --engine N[,N...]        rows of the whole engine, greedy and at temperature 1; 0: none (default 16,32)
  --threads N              of each side (default 2)
  --no-spinning            everstream's threads do not spin: for shared machines
  --steps N                decode steps per round (default 8)
  --rounds N               rounds; each measures every case once on both sides (default 3)
  --chunk N                tokens per prefill run of everstream (default 128, as in the server while no stream runs)
  --capacity N             positions per row (default: as many as the cases need)
  --llama-build FOLDER     compare with the llama-batched-bench in this folder, by means of rounds
  --no-peer                measure everstream only
  --help`

export interface BenchOptions {
  /** Name or path, or a model that the benchmark writes. */
  readonly model: string | RandomModel
  readonly quantization: string
  readonly cacheType: string
  readonly cases: readonly BenchCase[]
  readonly rows: number
  readonly capacity: number
  readonly threads: number
  readonly spinning: boolean
  readonly rounds: number
  readonly chunkTokens: number
  readonly peer: boolean
  readonly llamaBuild: string | null
}

/** Positions per row for the whole engine: prompt, steps, and one more for each row. */
const ENGINE_POSITIONS = 256
const MOST_POSITIONS = 131_072

/**
 * @returns null if help was requested
 * @throws {TypeError | RangeError} an option is unknown or out of range
 */
export function parseBenchOptions(args: readonly string[]): BenchOptions | null {
  const { values } = parseArgs({
    args: [...args],
    options: {
      model: { type: 'string' },
      shape: { type: 'string' },
      type: { type: 'string' },
      quantization: { type: 'string', default: 'auto' },
      'cache-type': { type: 'string', default: 'f32' },
      rows: { type: 'string', default: '1,4,8,16,32' },
      contexts: { type: 'string', default: '128' },
      prefill: { type: 'string', default: '512' },
      engine: { type: 'string', default: '16,32' },
      threads: { type: 'string', default: '2' },
      'no-spinning': { type: 'boolean', default: false },
      steps: { type: 'string', default: '8' },
      rounds: { type: 'string', default: '3' },
      chunk: { type: 'string', default: '128' },
      capacity: { type: 'string' },
      'llama-build': { type: 'string' },
      'no-peer': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false }
    }
  })
  if (values.help) return null

  const steps = wholeNumber('--steps', values.steps, 1, 64)
  const rows = list('--rows', values.rows, 1, 256)
  const contexts = list('--contexts', values.contexts, 1, MOST_POSITIONS)
  const prefill = list('--prefill', values.prefill, 0, MOST_POSITIONS).filter(tokens => tokens > 0)
  const engine = list('--engine', values.engine, 0, 128).filter(rows => rows > 0)
  const cases: BenchCase[] = [
    ...prefill.map(tokens => ({ kind: 'prefill' as const, tokens })),
    ...contexts.flatMap(past => rows.map(count => ({ kind: 'decode' as const, rows: count, past, steps }))),
    ...engine.flatMap(count => [0, 1].map(temperature => ({ kind: 'engine' as const, rows: count, temperature, steps })))
  ]
  const needed = Math.max(...prefill, ...contexts.map(past => past + steps + 1), engine.length > 0 ? ENGINE_POSITIONS : 0)
  return {
    model: modelOf(values.model, values.shape, values.type),
    quantization: values.quantization,
    cacheType: values['cache-type'],
    cases,
    rows: Math.max(1, ...rows, ...engine),
    capacity: values.capacity === undefined ? needed : wholeNumber('--capacity', values.capacity, needed, MOST_POSITIONS),
    threads: wholeNumber('--threads', values.threads, 1, 1024),
    spinning: !values['no-spinning'],
    rounds: wholeNumber('--rounds', values.rounds, 1, 1000),
    chunkTokens: wholeNumber('--chunk', values.chunk, 2, 512),
    peer: !values['no-peer'],
    llamaBuild: values['llama-build'] ?? null
  }
}

function modelOf(model: string | undefined, shape: string | undefined, type: string | undefined): string | RandomModel {
  if (shape === undefined) {
    if (type !== undefined) throw new TypeError('--type needs --shape')
    return model ?? 'smollm2-135m-instruct'
  }
  if (model !== undefined) throw new TypeError('--model and --shape exclude each other')
  if (!isShapeName(shape)) throw new RangeError(`--shape must be one of ${SHAPE_NAMES.join(', ')}, got '${shape}'`)
  const mixture = type ?? 'Q4_0'
  if (!isMixtureName(mixture)) throw new RangeError(`--type must be one of ${MIXTURE_NAMES.join(', ')}, got '${mixture}'`)
  return { shape, type: mixture }
}

function list(option: string, text: string, least: number, most: number): number[] {
  return text.split(',').map(part => wholeNumber(option, part, least, most))
}
