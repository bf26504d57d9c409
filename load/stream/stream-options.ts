import { parseArgs } from 'node:util'
import { number, wholeNumber } from '../number-option.ts'

export const STREAM_HELP = `Streaming load on any OpenAI-compatible server: every client sends its next request as soon as its stream ended.
The last line is one JSON document. Exit code 0: no error, no difference, memory flat; 1: otherwise; 2: wrong options.

  npm run load -- [options]

  --url URL                server (default http://127.0.0.1:8000)
  --model NAME             model to request (default: the first in /v1/models)
  --api-key KEY            sent as a bearer token
  --clients N[,N...]       concurrent clients; several levels run one after the other (default 64)
  --minutes M              duration of each level, decimals allowed (default 1)
  --warmup-seconds S       time at the start of each level that is not measured (default 0)
  --max-tokens N           tokens per response (default 64)
  --ignore-eos             request responses of full length (servers that support ignore_eos)
  --timeout-seconds S      a stream that takes longer is an error (default 300)
  --check                  send each request alone first, and compare every text under load with that response
  --cases N                number of different requests with --check (default 48); without --check every request is new
  --pid PID                watch the memory of this process and its descendants (Linux)
  --help`

export interface StreamOptions {
  readonly url: string
  readonly model: string | null
  readonly apiKey: string | null
  readonly clients: readonly number[]
  readonly durationMs: number
  readonly warmupMs: number
  readonly maxTokens: number
  readonly ignoreEos: boolean
  readonly timeoutMs: number
  /** Number of requests to compare; null: none are compared. */
  readonly checkCases: number | null
  readonly pid: number | null
}

/**
 * @returns null if help was requested
 * @throws {TypeError | RangeError} an option is unknown or out of range
 */
export function parseStreamOptions(args: readonly string[]): StreamOptions | null {
  const { values } = parseArgs({
    args: [...args],
    options: {
      url: { type: 'string', default: 'http://127.0.0.1:8000' },
      model: { type: 'string' },
      'api-key': { type: 'string' },
      clients: { type: 'string', default: '64' },
      minutes: { type: 'string', default: '1' },
      'warmup-seconds': { type: 'string', default: '0' },
      'max-tokens': { type: 'string', default: '64' },
      'ignore-eos': { type: 'boolean', default: false },
      'timeout-seconds': { type: 'string', default: '300' },
      check: { type: 'boolean', default: false },
      cases: { type: 'string', default: '48' },
      pid: { type: 'string' },
      help: { type: 'boolean', default: false }
    }
  })
  if (values.help) return null

  return {
    url: new URL(values.url).href,
    model: values.model ?? null,
    apiKey: values['api-key'] ?? null,
    clients: values.clients.split(',').map(level => wholeNumber('--clients', level, 1, 10_000)),
    durationMs: number('--minutes', values.minutes, 0.001, 1440) * 60_000,
    warmupMs: number('--warmup-seconds', values['warmup-seconds'], 0, 3600) * 1000,
    maxTokens: wholeNumber('--max-tokens', values['max-tokens'], 1, 1_000_000),
    ignoreEos: values['ignore-eos'],
    timeoutMs: number('--timeout-seconds', values['timeout-seconds'], 0.1, 86_400) * 1000,
    checkCases: values.check ? wholeNumber('--cases', values.cases, 1, 100_000) : null,
    pid: values.pid === undefined ? null : wholeNumber('--pid', values.pid, 1, 4_194_304)
  }
}
