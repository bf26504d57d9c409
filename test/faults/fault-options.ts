import { parseArgs } from 'node:util'

export const FAULT_HELP = `Kills worker processes at random instants under a mixed load, and compares what every reader received with an
undisturbed run.
The last line is one JSON document. Exit code 0: no token lost, repeated or wrong, and every request finished; 1: otherwise; 2: wrong options.

  npm run test:faults -- [options]

  --kills N                faults to inject (default 200)
  --seed N                 of cases, victims and instants (default: the clock; it is printed)
  --queue embedded|redis   (default embedded)
  --engine onnx|simulated  (default onnx: the default model)
  --faults LIST            of kill,freeze,api,restart,redis: SIGKILL of a worker; SIGSTOP of a worker beyond its lock; SIGKILL of an API process; SIGTERM
                           of an API process and its workers, which have a second to drain; SIGKILL of Redis, which has its append-only file on
                           (default kill; the last three need --queue redis)
  --streams N              readers at once (default 16)
  --workers N              (default 2)
  --spare-workers N        (default 0)
  --mean-seconds S         between faults (default 3; simulated 0.5)
  --max-tokens N           of an answer (default 64)
  --help`

export const FAULT_KINDS = ['kill', 'freeze', 'api', 'restart', 'redis'] as const
export type FaultKind = (typeof FAULT_KINDS)[number]

export interface FaultOptions {
  readonly kills: number
  readonly seed: number
  readonly queue: 'embedded' | 'redis'
  readonly engine: 'onnx' | 'simulated'
  readonly faults: readonly FaultKind[]
  readonly streams: number
  readonly workers: number
  readonly spareWorkers: number
  readonly meanSeconds: number
  readonly maxTokens: number
}

/** @throws {TypeError | RangeError} an option is unknown or out of range
 *  @returns null if help was requested */
export function parseFaultOptions(args: readonly string[]): FaultOptions | null {
  const { values } = parseArgs({
    args: [...args],
    options: {
      kills: { type: 'string', default: '200' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
      queue: { type: 'string', default: 'embedded' },
      engine: { type: 'string', default: 'onnx' },
      faults: { type: 'string', default: 'kill' },
      streams: { type: 'string', default: '16' },
      workers: { type: 'string', default: '2' },
      'spare-workers': { type: 'string', default: '0' },
      'mean-seconds': { type: 'string' },
      'max-tokens': { type: 'string', default: '64' },
      help: { type: 'boolean', default: false }
    }
  })
  if (values.help) return null
  const queue = oneOf('--queue', values.queue, ['embedded', 'redis'] as const)
  const engine = oneOf('--engine', values.engine, ['onnx', 'simulated'] as const)
  const faults = values.faults.split(',').map(kind => oneOf('--faults', kind, FAULT_KINDS))
  if (queue === 'embedded' && faults.some(kind => kind !== 'kill' && kind !== 'freeze')) {
    throw new RangeError('--faults api, restart and redis need --queue redis: the embedded queue lives in the API process')
  }
  return {
    kills: count('--kills', values.kills),
    seed: count('--seed', values.seed),
    queue,
    engine,
    faults,
    streams: count('--streams', values.streams),
    workers: count('--workers', values.workers),
    spareWorkers: count('--spare-workers', values['spare-workers']),
    meanSeconds: Number(values['mean-seconds'] ?? (engine === 'simulated' ? 0.5 : 3)),
    maxTokens: count('--max-tokens', values['max-tokens'])
  }
}

function oneOf<Word extends string>(option: string, text: string, words: readonly Word[]): Word {
  const word = words.find(one => one === text)
  if (word === undefined) throw new RangeError(`${option} must be ${words.join(' or ')}, got '${text}'`)
  return word
}

function count(option: string, text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 0) throw new RangeError(`${option} must be a whole number, got '${text}'`)
  return value
}
