import { parseArgs } from 'node:util'
import { number, wholeNumber } from '../number-option.ts'
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
  --quality                instead of speed: KL divergence and greedy agreement with float32 weights
  --matrix                 one table of several shapes and types: --shape and --type take lists (default 135m,1b and
                           Q4_0,Q4_1,Q4_K_M,Q5_K_M,Q8_0,F16), and files that did not exist before are deleted afterwards
  --results FILE           of --matrix: keeps each finished model there, and does not measure it again
  --minutes N              of --matrix: no further model is begun after this time
  --quantization FORM      of everstream's weights: none, int8, native, w8a8 or auto, as in the server (default auto)
  --cache-type TYPE        of everstream's cache: f32 or int8, as in the server (default f32)
  --rows N[,N...]          rows of a decode step (default 1,4,8,16,32; of --matrix 1,8,32)
  --contexts N[,N...]      positions before each decode step (default 128)
  --prefill N[,N...]       prompt lengths; 0: none (default 512; of --matrix 256)
  --engine N[,N...]        rows of the whole engine, greedy and at temperature 1; 0: none (default 16,32; of --matrix 0)
  --threads N              of each side (default 2)
  --no-spinning            everstream's threads do not spin: for shared machines
  --steps N                decode steps per round (default 8)
  --rounds N               rounds; each measures every case once on both sides (default 3)
  --chunk N                tokens per prefill run of everstream (default 128, as in the server while no stream runs)
  --capacity N             positions per row, at least (default: as many as the cases need)
  --llama-build FOLDER     compare with the llama-batched-bench in this folder, by means of rounds
  --no-peer                measure everstream only
  --help`

export interface BenchOptions {
  readonly task: BenchTask
  readonly quantization: string
  readonly cacheType: string
  readonly cases: readonly BenchCase[]
  /** Least number of positions of a row. */
  readonly capacity: number
  readonly threads: number
  readonly spinning: boolean
  readonly rounds: number
  readonly chunkTokens: number
  readonly peer: boolean
  readonly llamaBuild: string | null
}

/** What is measured, of which models: a name of the catalogue, a path, or a model that the benchmark writes. */
export type BenchTask =
  | { readonly kind: 'speed' | 'quality'; readonly model: string | RandomModel }
  | { readonly kind: 'matrix'; readonly models: readonly RandomModel[]; readonly resultsPath: string | null; readonly minutes: number }

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
      quality: { type: 'boolean', default: false },
      matrix: { type: 'boolean', default: false },
      results: { type: 'string' },
      minutes: { type: 'string' },
      quantization: { type: 'string', default: 'auto' },
      'cache-type': { type: 'string', default: 'f32' },
      rows: { type: 'string' },
      contexts: { type: 'string', default: '128' },
      prefill: { type: 'string' },
      engine: { type: 'string' },
      threads: { type: 'string', default: '2' },
      'no-spinning': { type: 'boolean', default: false },
      steps: { type: 'string', default: '8' },
      rounds: { type: 'string', default: '3' },
      chunk: { type: 'string', default: '128' },
      capacity: { type: 'string', default: '1' },
      'llama-build': { type: 'string' },
      'no-peer': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false }
    }
  })
  if (values.help) return null

  const defaults = values.matrix
    ? { rows: '1,8,32', prefill: '256', engine: '0' }
    : { rows: '1,4,8,16,32', prefill: '512', engine: '16,32' }
  const steps = wholeNumber('--steps', values.steps, 1, 64)
  const rows = list('--rows', values.rows ?? defaults.rows, 1, 256)
  const contexts = list('--contexts', values.contexts, 1, MOST_POSITIONS)
  const prefill = list('--prefill', values.prefill ?? defaults.prefill, 0, MOST_POSITIONS).filter(tokens => tokens > 0)
  const engine = list('--engine', values.engine ?? defaults.engine, 0, 128).filter(rows => rows > 0)
  return {
    task: taskOf(values),
    quantization: values.quantization,
    cacheType: values['cache-type'],
    cases: [
      ...prefill.map(tokens => ({ kind: 'prefill' as const, tokens })),
      ...contexts.flatMap(past => rows.map(count => ({ kind: 'decode' as const, rows: count, past, steps }))),
      ...engine.flatMap(count => [0, 1].map(temperature => ({ kind: 'engine' as const, rows: count, temperature, steps })))
    ],
    capacity: wholeNumber('--capacity', values.capacity, 1, MOST_POSITIONS),
    threads: wholeNumber('--threads', values.threads, 1, 1024),
    spinning: !values['no-spinning'],
    rounds: wholeNumber('--rounds', values.rounds, 1, 1000),
    chunkTokens: wholeNumber('--chunk', values.chunk, 2, 512),
    peer: !values['no-peer'],
    llamaBuild: values['llama-build'] ?? null
  }
}

interface TaskValues {
  readonly model?: string | undefined
  readonly shape?: string | undefined
  readonly type?: string | undefined
  readonly quality: boolean
  readonly matrix: boolean
  readonly results?: string | undefined
  readonly minutes?: string | undefined
}

function taskOf({ model, shape, type, quality, matrix, results, minutes }: TaskValues): BenchTask {
  const only = (option: string, given: unknown, needed: string): void => {
    if (given !== undefined) throw new TypeError(`${option} needs ${needed}`)
  }
  if (model !== undefined && (shape !== undefined || matrix)) throw new TypeError(`--model excludes ${matrix ? '--matrix' : '--shape'}`)
  if (matrix) {
    if (quality) throw new TypeError('--quality excludes --matrix: random weights have no quality to compare')
    const shapes = names('--shape', shape ?? '135m,1b', isShapeName, SHAPE_NAMES)
    const types = names('--type', type ?? 'Q4_0,Q4_1,Q4_K_M,Q5_K_M,Q8_0,F16', isMixtureName, MIXTURE_NAMES)
    return {
      kind: 'matrix',
      models: shapes.flatMap(shape => types.map(type => ({ shape, type }))),
      resultsPath: results ?? null,
      minutes: minutes === undefined ? Number.POSITIVE_INFINITY : number('--minutes', minutes, 0, 10_000)
    }
  }
  only('--results', results, '--matrix')
  only('--minutes', minutes, '--matrix')
  const kind = quality ? 'quality' : 'speed'
  if (shape === undefined) {
    only('--type', type, '--shape')
    return { kind, model: model ?? 'smollm2-135m-instruct' }
  }
  const models = names('--shape', shape, isShapeName, SHAPE_NAMES).flatMap(shape =>
    names('--type', type ?? 'Q4_0', isMixtureName, MIXTURE_NAMES).map(type => ({ shape, type }))
  )
  const [first, second] = models
  if (first === undefined || second !== undefined) throw new TypeError('lists of --shape and --type need --matrix')
  return { kind, model: first }
}

function names<Name extends string>(option: string, text: string, isName: (part: string) => part is Name, known: readonly Name[]): Name[] {
  return text.split(',').map(part => {
    if (!isName(part)) throw new RangeError(`${option} must be of ${known.join(', ')}, got '${part}'`)
    return part
  })
}

function list(option: string, text: string, least: number, most: number): number[] {
  return text.split(',').map(part => wholeNumber(option, part, least, most))
}
