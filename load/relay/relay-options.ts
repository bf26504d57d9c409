import { parseArgs } from 'node:util'
import { number, wholeNumber } from '../number-option.ts'

export const RELAY_HELP = `Measures the cost of the path from the engine to the reader. Starts its own servers (and Redis). The last line is one JSON document.

  npm run load:relay -- [options]

  --queue embedded|redis   (default embedded)
  --parts LIST             of engine,prefix,relay,idle (default all):
                           engine  tokens/s of 16 streams over HTTP relative to the bare engine, same requests, alternately
                           prefix  time to the first token of a new and of a repeated prompt of about 1,000 tokens
                           relay   simulated engine: tokens/s that one API process relays, and the added latency
                           idle    memory of an idle stream in the API process
  --streams N              streams of relay (default 500)
  --step-ms MS             step of relay: each stream gets one token per step (default 16)
  --idle N                 streams of idle (default 2000)
  --seconds S              duration of relay (default 15)
  --rounds N               rounds of engine and prefix (default 4)
  --api-processes N        API processes of relay with Redis (default 1)
  --workers N              workers of relay with Redis (default 1)
  --help`

export interface RelayOptions {
  readonly queue: 'embedded' | 'redis'
  readonly parts: readonly string[]
  readonly streams: number
  readonly stepMs: number
  readonly idle: number
  readonly seconds: number
  readonly rounds: number
  readonly apiProcesses: number
  readonly workers: number
}

/**
 * @returns null if help was requested
 * @throws {TypeError | RangeError} an option is unknown or out of range
 */
export function parseRelayOptions(args: readonly string[]): RelayOptions | null {
  const { values } = parseArgs({
    args: [...args],
    options: {
      queue: { type: 'string', default: 'embedded' },
      parts: { type: 'string', default: 'engine,prefix,relay,idle' },
      streams: { type: 'string', default: '500' },
      'step-ms': { type: 'string', default: '16' },
      idle: { type: 'string', default: '2000' },
      seconds: { type: 'string', default: '15' },
      rounds: { type: 'string', default: '4' },
      'api-processes': { type: 'string', default: '1' },
      workers: { type: 'string', default: '1' },
      help: { type: 'boolean', default: false }
    }
  })
  if (values.help) return null
  const { queue } = values
  if (queue !== 'embedded' && queue !== 'redis') throw new RangeError(`--queue must be embedded or redis, got '${queue}'`)
  return {
    queue,
    parts: values.parts.split(','),
    streams: wholeNumber('--streams', values.streams, 1, 10_000),
    stepMs: number('--step-ms', values['step-ms'], 1, 60_000),
    idle: wholeNumber('--idle', values.idle, 1, 100_000),
    seconds: number('--seconds', values.seconds, 1, 3600),
    rounds: wholeNumber('--rounds', values.rounds, 1, 100),
    apiProcesses: wholeNumber('--api-processes', values['api-processes'], 1, 64),
    workers: wholeNumber('--workers', values.workers, 1, 64)
  }
}
