import { type Attack, type Endpoint, faultsIn, type Target } from './attack.ts'
import { exchange, WAYS_TO_DISCONNECT } from './conversation.ts'
import { damaged, damagedText, hostileValue, objectOf, someText } from './hostile-json.ts'
import type { Random } from './random.ts'

/** How long a client waits for an answer that does not depend on how much is generated. */
const TIMEOUT_MS = 20_000
const SHORT_TIMEOUT_MS = 2000
const MAX_BODY_BYTES = 1_048_576

const HEADERS: readonly ((random: Random) => string)[] = [
  random => `Idempotency-Key: key-${random.integer(0, 20)}`,
  () => 'x-resumable: true',
  random => `x-request-timeout-ms: ${random.pick([1, 50, 1000, -1, 'x', '9'.repeat(30)])}`,
  random => `Last-Event-ID: ${random.pick([0, 5, -1, 'x', '', '1.5', '1e3', '1, 2', '9'.repeat(400), '\xff'])}`,
  random =>
    `${random.pick(['Range', 'If-None-Match', 'Accept', 'TE', 'x-request-id'])}: ${random.pick(['', 'bytes=0-,1', '*', '\xff', '1e400'])}`,
  () => 'Content-Encoding: gzip',
  () => 'Authorization: Bearer x',
  random => `Origin: ${random.pick(['null', 'http://localhost', 'http://evil.example', ''])}`,
  () => 'Accept-Encoding: gzip, deflate, br, zstd',
  random => `X-Long: ${'x'.repeat(random.integer(0, 20_000))}`,
  () => 'Cookie: \xff\xfe'
]

const UPGRADES = ['h2c', 'websocket', 'WebSocket, h2c', 'TLS/1.0', 'foo/1, bar/2', '', ',', 'websocket\t'] as const

/** One request in whole, well framed, with a body that is good, damaged or not even JSON. */
export const sendBody: Attack = async (target, random) => {
  const endpoint = random.pick(target.endpoints.filter(({ body }) => body !== null))
  const json = bodyFor(endpoint, target, random)
  const body = Buffer.from(random.chance(0.1) ? damagedText(json, random) : json).subarray(0, MAX_BODY_BYTES + 1)
  const isGenerating = endpoint.path.endsWith('/completions')
  const { text, closedByServer } = await exchange(target.port, {
    pieces: [head(endpoint, random, ['Connection: close', `Content-Length: ${body.length}`, ...headersFrom(random)]), body],
    withinMs: isGenerating ? SHORT_TIMEOUT_MS : TIMEOUT_MS
  })
  const isUnanswered = !isGenerating && !closedByServer && text === ''
  return [...faultsIn(text, target), ...(isUnanswered ? [`no answer of ${endpoint.path}`] : [])]
}

const METHODS = ['HEAD', 'OPTIONS', 'PUT', 'PATCH', 'TRACE', 'DELETE', 'GET', 'POST', 'PROPFIND', 'LINK', 'QUERY', 'M-SEARCH'] as const

/** Every URL, with and without ids that exist. */
export const read: Attack = async (target, random) => {
  const isOdd = random.chance(0.2)
  const { method, path } = random.pick(isOdd ? target.endpoints : target.endpoints.filter(({ body }) => body === null))
  const id =
    random.chance(0.7) && target.streamIds.length > 0
      ? random.pick(target.streamIds)
      : random.pick(['x', '%00', '%', '%zz', '%ff', '%c0%af', '..%2f..', ';a', 'é', 'a'.repeat(3000)])
  const query = random.pick([
    '',
    '?stream=false',
    `?starting_after=${random.pick([0, 1, 3, 1e9, -1, 'x', '9'.repeat(40)])}`,
    '?stream=maybe&stream=false',
    '?%'
  ])
  const url = path.replace(/\{\w+\}/, random.chance(0.9) ? id.replace(/[^!-~]/g, encodeURIComponent) : '') + query
  const { text } = await exchange(target.port, {
    pieces: [
      `${isOdd ? random.pick(METHODS) : method.toUpperCase()} ${url} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${headersFrom(
        random
      )
        .map(line => `${line}\r\n`)
        .join('')}\r\n`
    ],
    disconnect: random.pick(WAYS_TO_DISCONNECT),
    afterBytes: random.chance(0.3) ? random.integer(1, 5000) : Number.POSITIVE_INFINITY,
    withinMs: SHORT_TIMEOUT_MS
  })
  return faultsIn(text, target)
}

/** A good request whose client disconnects: within the head, within the body, before the answer, within it. */
export const leave: Attack = async (target, random) => {
  const endpoint = random.pick(target.endpoints.filter(({ path }) => path.endsWith('/completions')).filter(({ body }) => body !== null))
  const body = JSON.stringify({
    ...minimalBody(endpoint, target, random),
    stream: random.chance(0.7),
    background: random.chance(0.05),
    max_tokens: random.integer(1, 400),
    n: random.pick([1, 1, 2, 8])
  })
  const request = `${head(endpoint, random, [`Content-Length: ${Buffer.byteLength(body)}`, ...(random.chance(0.3) ? ['x-resumable: true'] : [])])}${body}`
  const cut = random.integer(1, request.length)
  const pieces = random.pick([[request], [request.slice(0, cut)], [request.slice(0, cut), request.slice(cut)]])
  const { text } = await exchange(target.port, {
    pieces,
    pauseMs: random.pick([0, 0, 20]),
    reads: random.chance(0.9),
    disconnect: random.pick(WAYS_TO_DISCONNECT),
    afterBytes: random.integer(1, 20_000),
    withinMs: random.integer(1, SHORT_TIMEOUT_MS)
  })
  return faultsIn(text, target)
}

/** Requests that are not, or hardly, HTTP; upgrades of every form; many at once. */
export const breakFraming: Attack = async (target, random) => {
  const { text } = await exchange(target.port, {
    pieces: random.pick(FRAMINGS)(target, random),
    pauseMs: random.pick([0, 0, 5]),
    reads: random.chance(0.8),
    disconnect: random.pick(WAYS_TO_DISCONNECT),
    withinMs: random.integer(1, SHORT_TIMEOUT_MS)
  })
  return faultsIn(text, target)
}

const FRAMINGS: readonly ((target: Target, random: Random) => readonly (string | Buffer)[])[] = [
  (_target, random) => [random.bytes(random.integer(1, 5000))],
  (_target, random) => [
    `${random.pick(['GET', 'PRI', 'CONNECT', 'get', 'POST', 'G E T'])} ${random.pick(['*', '/', '//', 'http://localhost/health', 'localhost:80', '/\x00', '/'.repeat(20_000)])} HTTP/${random.pick(['1.1', '1.0', '2.0', '0.9', '9'])}\r\n${random.pick(['Host: localhost\r\n', '', 'Host: a\r\nHost: b\r\n', 'Host: evil.example\r\n'])}\r\n`
  ],
  (target, random) => {
    const body = bodyFor(random.pick(target.endpoints.filter(one => one.body !== null)), target, random).slice(0, 5000)
    const lengths = [
      'Content-Length: 1',
      `Content-Length: ${body.length + 10}`,
      'Content-Length: -1',
      'Content-Length: 99999999999',
      'Content-Length: 5\r\nContent-Length: 6',
      'Transfer-Encoding: chunked',
      'Transfer-Encoding: gzip, chunked\r\nContent-Length: 3',
      'Transfer-Encoding: identity'
    ]
    return [`POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n${random.pick(lengths)}\r\n\r\n`, body]
  },
  (target, random) => {
    const body = Buffer.from(JSON.stringify(minimalBody(completions(target), target, random)))
    const chunks = Array.from(body, byte => `1${random.pick(['', ';x=y', `;${'x'.repeat(100)}`])}\r\n${String.fromCharCode(byte)}\r\n`)
    return [
      head(completions(target), random, ['Transfer-Encoding: chunked']),
      chunks.join(''),
      random.pick(['0\r\n\r\n', '0\r\nX: y\r\n\r\n', 'zz\r\n', ''])
    ]
  },
  (target, random) => {
    const body = JSON.stringify(minimalBody(completions(target), target, random))
    return [
      head(completions(target), random, [
        `Expect: ${random.pick(['100-continue', '200-ok', ''])}`,
        `Content-Length: ${Buffer.byteLength(body)}`
      ]),
      body
    ]
  },
  (target, random) => {
    const body = JSON.stringify(minimalBody(completions(target), target, random))
    const upgrade = ['Connection: Upgrade, HTTP2-Settings', `Upgrade: ${random.pick(UPGRADES)}`, 'HTTP2-Settings: AAMAAABkAAQAAP__']
    const post = `${head(completions(target), random, [...upgrade, `Content-Length: ${Buffer.byteLength(body)}`])}${body}`
    const get = `GET ${random.pick(['/health', '/v1/completions', '/nowhere'])} HTTP/1.1\r\nHost: localhost\r\n${upgrade.join('\r\n')}\r\n\r\n`
    return Array.from({ length: random.integer(1, 6) }, () => random.pick([post, get]))
  },
  (_target, random) => [
    `GET ${random.pick(['/health', '/openapi.json', '/metrics', '/nowhere'])} HTTP/1.1\r\nHost: localhost\r\n\r\n`.repeat(
      random.integer(2, 2000)
    )
  ],
  (_target, random) => [
    `GET /health HTTP/1.1\r\nHost: localhost\r\n${Array.from({ length: random.integer(1, 3000) }, (_, index) => `X${index}: y\r\n`).join('')}\r\n`
  ],
  (_target, random) => [`GET /health HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(random.integer(10_000, 2_000_000))}\r\n\r\n`],
  (target, random) => {
    const body = JSON.stringify(minimalBody(completions(target), target, random))
    const start = `${Buffer.byteLength(body).toString(16)}${random.pick(['', `;${'x'.repeat(100_000)}`])}\r\n${body}\r\n`
    const end = random.pick([
      `0\r\n${'X: y\r\n'.repeat(random.integer(1, 50_000))}\r\n`,
      '1\r\n \r\n'.repeat(random.integer(1, 200_000)),
      'ffffffffffffffff\r\n'
    ])
    return [head(completions(target), random, ['Transfer-Encoding: chunked']), Buffer.from(start), end]
  },
  (_target, random) => Array.from(`GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n`.slice(0, random.integer(1, 40)))
]

function completions({ endpoints }: Target): Endpoint {
  const found = endpoints.find(({ method, path }) => method === 'post' && path === '/v1/completions')
  if (found === undefined) throw new Error('the server has no POST /v1/completions')
  return found
}

function head({ method, path }: Endpoint, random: Random, lines: readonly string[]): string {
  const type = random.chance(0.95) ? 'application/json' : random.pick(['text/plain', 'application/json; charset=utf-16', 'x', ''])
  return [`${method.toUpperCase()} ${path} HTTP/1.1`, 'Host: localhost', `Content-Type: ${type}`, ...lines].join('\r\n').concat('\r\n\r\n')
}

function headersFrom(random: Random): readonly string[] {
  return random.some(HEADERS, 0.07).map(header => header(random))
}

/** All that an endpoint requires, and nothing that is wrong. */
function minimalBody({ path }: Endpoint, { model }: Target, random: Random): Record<string, unknown> {
  if (path === '/detokenize') return { model, tokens: [random.integer(0, 20)] }
  if (path.includes('chat')) return { model, messages: [{ role: 'user', content: someText(random) }], max_tokens: random.integer(1, 8) }
  return { model, prompt: someText(random), ...(path !== '/tokenize' && { max_tokens: random.integer(1, 8) }) }
}

function bodyFor(endpoint: Endpoint, target: Target, random: Random): string {
  let body: unknown = { ...objectOf(endpoint.body ?? {}, random), ...minimalBody(endpoint, target, random) }
  const names = Object.keys(endpoint.body?.properties ?? {})
  for (let count = random.integer(0, 3); count > 0; count--) {
    body = random.chance(0.5) ? damaged(body, random) : { ...(body as object), [random.pick(names)]: hostileValue(random) }
  }
  return JSON.stringify(body)
}
