import { parseArgs } from 'node:util'

export const FUZZ_HELP = `Starts a server and attacks it: random and hostile bodies at every endpoint, broken HTTP, upgrades,
WebSocket frames, and clients that disconnect at every point. Meanwhile a client that does nothing wrong measures how long
its answers take. At the end the server must hold nothing more than before, be healthy, and exit in time.
Exit code 0: nothing found; 1: faults, which are printed; 2: wrong options.

  npm run test:fuzz -- [options]

  --minutes N              how long (default 5)
  --count N                attacks at most (default: as many as there is time for)
  --seed N                 of everything that is sent (default: the clock; it is printed)
  --only N                 the one attack of this number, as a fault names it
  --clients N              attacks at once (default 12)
  --engine onnx|simulated  (default simulated; onnx: the default model)
  --max-delay-ms N         an answer to the other client may take so long (default 1000). On Linux the time that
                           client and server wait for a processor of a busy machine is not counted
  --redis-url URL          attack a server with this queue (default: the embedded queue)
  --help`

export interface FuzzOptions {
  readonly seconds: number
  readonly count: number
  readonly seed: number
  /** null: all. */
  readonly only: number | null
  readonly clients: number
  readonly engine: 'onnx' | 'simulated'
  readonly maxDelayMs: number
  /** null: the embedded queue. */
  readonly redisUrl: string | null
}

/**
 * @throws {TypeError | RangeError} on an option that is unknown or out of range
 * @returns null where help is asked for
 */
export function parseFuzzOptions(args: readonly string[]): FuzzOptions | null {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: 'string', default: '5' },
      count: { type: 'string' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
      only: { type: 'string' },
      clients: { type: 'string', default: '12' },
      engine: { type: 'string', default: 'simulated' },
      'max-delay-ms': { type: 'string', default: '1000' },
      'redis-url': { type: 'string' },
      help: { type: 'boolean', default: false }
    }
  })
  if (values.help) return null
  if (values.engine !== 'onnx' && values.engine !== 'simulated') {
    throw new RangeError(`--engine must be onnx or simulated, got '${values.engine}'`)
  }
  return {
    seconds: number('--minutes', values.minutes) * 60,
    count: values.count === undefined ? Number.POSITIVE_INFINITY : number('--count', values.count),
    seed: number('--seed', values.seed),
    only: values.only === undefined ? null : number('--only', values.only),
    clients: number('--clients', values.clients),
    engine: values.engine,
    maxDelayMs: number('--max-delay-ms', values['max-delay-ms']),
    redisUrl: values['redis-url'] ?? null
  }
}

function number(option: string, text: string): number {
  const value = Number(text)
  if (!Number.isFinite(value) || value < 0) throw new RangeError(`${option} must be a number of at least 0, got '${text}'`)
  return value
}
