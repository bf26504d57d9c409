import { parseArgs } from 'node:util'
import { wholeNumber } from '../number-option.ts'
import type { BenchCase } from './bench-case.ts'

export const BENCH_HELP = `The bare engine: native runs, no server. With load/peers installed, or --llama-build, the same file on llama.cpp, in turn with ours.
The last line is one JSON document. Exit code 2: wrong options.

  npm run bench -- [options]

  --model NAME|PATH        of the catalogue, or a .gguf file (default smollm2-135m-instruct)
  --quantization FORM      of our weights: none, int8 or auto, as the server's (default auto)
  --rows N[,N...]          rows of a decode step (default 1,4,8,16,32)
  --contexts N[,N...]      positions before each decode (default 128; issue: 128,1024,2048)
  --prefill N[,N...]       lengths of prompts; 0: none (default 512)
  --engine N[,N...]        rows of the whole engine, greedy and at temperature 1; 0: none (default 16,32)
  --threads N              of each side (default 2)
  --no-spinning            our threads do not wait busily: for machines that others use too
  --steps N                decode steps of a round (default 8)
  --rounds N               each measures every case once, on every side (default 3)
  --chunk N                tokens of one of our prefill runs (default 128, as in the server while no stream runs)
  --capacity N             positions that a row can hold (default: what the cases need)
  --llama-build FOLDER     the peer is the llama-batched-bench in it, built by yourself, instead of load/peers; means of rounds are compared
  --no-peer                ours only
  --help`

export interface BenchOptions {
  readonly model: string
  readonly quantization: string
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

/** Positions of a row that the whole engine needs: its prompt, its steps, and one more for each row that waits. */
const ENGINE_POSITIONS = 256
const MOST_POSITIONS = 131_072

/** @throws {TypeError | RangeError} on an option that is unknown or out of range
 *  @returns null when help was asked for */
export function parseBenchOptions(args: readonly string[]): BenchOptions | null {
  const { values } = parseArgs({
    args: [...args],
    options: {
      model: { type: 'string', default: 'smollm2-135m-instruct' },
      quantization: { type: 'string', default: 'auto' },
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
    model: values.model,
    quantization: values.quantization,
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

function list(option: string, text: string, least: number, most: number): number[] {
  return text.split(',').map(part => wholeNumber(option, part, least, most))
}
