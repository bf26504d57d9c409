import { parseArgs } from 'node:util'
import autocannon from 'autocannon'
import { wholeNumber } from './number-option.ts'
import { Endpoint } from './requests/endpoint.ts'
import { bodyAt } from './requests/workload.ts'

const HELP = `Load with responses that are not streamed, by autocannon. The last line is one JSON document.

  npm run load:whole -- [options]

  --url URL          server (default http://127.0.0.1:8000)
  --model NAME       model to request (default: the first in /v1/models)
  --api-key KEY      sent as a bearer token
  --clients N        connections (default 8)
  --seconds S        duration (default 30)
  --max-tokens N     tokens per response (default 16)
  --help`

/** Number of different requests, sent in rotation so that the result does not depend on a single prompt. */
const CASES = 64

const OPTIONS = {
  url: { type: 'string', default: 'http://127.0.0.1:8000' },
  model: { type: 'string' },
  'api-key': { type: 'string' },
  clients: { type: 'string', default: '8' },
  seconds: { type: 'string', default: '30' },
  'max-tokens': { type: 'string', default: '16' },
  help: { type: 'boolean', default: false }
} as const
type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>['values']

try {
  const { values } = parseArgs({ options: OPTIONS })
  if (values.help) console.log(HELP)
  else process.exitCode = (await run(values)) ? 0 : 1
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = error instanceof TypeError || error instanceof RangeError ? 2 : 1
}

/** @returns whether every response had status 200 */
async function run(values: Values): Promise<boolean> {
  const endpoint = new Endpoint(values.url, 1, values['api-key'] ?? null)
  const model = values.model ?? (await endpoint.firstModel())
  const maxTokens = wholeNumber('--max-tokens', values['max-tokens'], 1, 1_000_000)
  const headers = { ...endpoint.headers, 'content-type': 'application/json' }
  const workload = { model, maxTokens, ignoreEos: false }

  const result = await autocannon({
    url: new URL('/v1/completions', endpoint.base).href,
    connections: wholeNumber('--clients', values.clients, 1, 10_000),
    duration: wholeNumber('--seconds', values.seconds, 1, 86_400),
    timeout: 120,
    requests: Array.from({ length: CASES }, (_, index) => ({
      method: 'POST' as const,
      headers,
      body: JSON.stringify(bodyAt(index, workload))
    }))
  })
  endpoint.close()

  const { latency, requests, errors, timeouts, non2xx, duration } = result
  const failures = errors + timeouts + non2xx
  console.log(`${requests.total} responses in ${duration} s, latency p50 ${latency.p50} p99 ${latency.p99} ms, ${failures} failures`)
  console.log(
    JSON.stringify({
      tool: 'autocannon',
      date: new Date().toISOString(),
      model,
      maxTokens,
      clients: result.connections,
      seconds: duration,
      requests: requests.total,
      requestsPerSecond: requests.average,
      latencyMs: { p50: latency.p50, p90: latency.p90, p99: latency.p99, max: latency.max },
      errors,
      timeouts,
      non2xx
    })
  )
  return failures === 0 && requests.total > 0
}
