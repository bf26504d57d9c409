import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import fc from 'fast-check'
import { expect, it, onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import type { AppOptions } from '../../../src/server/app.ts'
import { readableLog, testApp } from '../app-parts.ts'
import { RawConnection, rawRequest } from '../raw-connection.ts'

const BODY = '{"model":"tiny","prompt":"hi"}'
const KEY = 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=='
const VERSION = 'Sec-WebSocket-Version: 13'
const TO_SOCKET = ['Connection: Upgrade', 'Upgrade: websocket']
const UPGRADES = [
  ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAAP__'],
  ['connection: upgrade', 'UPGRADE: H2C'],
  ['Connection: Upgrade', 'Upgrade: TLS/1.0, IRC/6.9'],
  ['Connection: keep-alive', 'Connection: Upgrade', 'Upgrade: h2c', 'Upgrade: TLS/1.0'],
  ['Upgrade: websocket', 'Connection: upgrade'],
  ['Connection: Upgrade', 'Upgrade: websocket, h2c'],
  ['Connection: Upgrade', 'Upgrade: '],
  ['Upgrade: h2c']
]

async function listen(changes: Partial<AppOptions> = {}) {
  const app = testApp(changes)
  await app.listen({ port: 0, host: '127.0.0.1' })
  onTestFinished(async () => await app.close())
  const { port } = app.server.address() as AddressInfo
  const openConnections = async () =>
    await new Promise<number>((resolve, reject) =>
      app.server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)))
    )
  return { app, port, openConnections }
}

const REQUESTED = [
  { bytes: (headers: readonly string[]) => rawRequest('GET', '/health', headers), status: 200 },
  { bytes: (headers: readonly string[]) => rawRequest('POST', '/v1/completions', headers, BODY), status: 200 },
  { bytes: (headers: readonly string[]) => rawRequest('POST', '/v1/completions', headers, '{"model":"tiny"}'), status: 400 },
  { bytes: (headers: readonly string[]) => rawRequest('HEAD', '/v1/models', headers), status: 200 },
  { bytes: (headers: readonly string[]) => rawRequest('DELETE', '/unknown', headers), status: 404 },
  {
    bytes: (headers: readonly string[]) =>
      rawRequest('POST', '/v1/completions', ['Content-Type: application/json', 'Transfer-Encoding: chunked', ...headers]) +
      `${BODY.length.toString(16)}\r\n${BODY}\r\n0\r\n\r\n`,
    status: 200
  },
  { bytes: (headers: readonly string[]) => rawRequest('GET', '/%zz', headers), status: 400 }
]

const anyRequest = fc.record({
  requested: fc.constantFrom(...REQUESTED),
  headers: fc.constantFrom([], ...UPGRADES)
})

it('answers requests for another protocol like requests without an upgrade, in order, however their bytes are split', async () => {
  const { port, openConnections } = await listen()
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyRequest, { minLength: 1, maxLength: 6 }),
      fc.array(fc.nat(2000), { maxLength: 3 }),
      async (requests, cuts) => {
        using connection = new RawConnection(port)
        const bytes = requests.map(({ requested, headers }) => requested.bytes(headers)).join('')
        let from = 0
        for (const cut of [...cuts.toSorted((a, b) => a - b), bytes.length]) {
          connection.write(bytes.slice(from, cut))
          from = Math.max(from, Math.min(cut, bytes.length))
          await new Promise(setImmediate)
        }
        expect(await connection.statuses(requests.length)).toEqual(requests.map(({ requested }) => requested.status))
        connection.write(rawRequest('GET', '/health', UPGRADES[0]))
        expect((await connection.statuses(requests.length + 1)).at(-1)).toBe(200)
      }
    ),
    { numRuns: 40 }
  )
  await expect.poll(openConnections).toBe(0)
})

it('leaves no listeners on a connection on which every request contains an upgrade to another protocol', async () => {
  const { app, port } = await listen()
  const opened = once(app.server, 'connection') as Promise<[Socket]>
  using connection = new RawConnection(port)
  const [socket] = await opened
  const listeners = () => socket.eventNames().reduce((sum, name) => sum + socket.listenerCount(name), 0)
  const counts: number[] = []
  for (let count = 1; count <= 50; count++) {
    connection.write(rawRequest('POST', '/v1/completions', UPGRADES[0], BODY))
    expect((await connection.statuses(count)).at(-1)).toBe(200)
    counts.push(listeners())
  }
  expect(counts.at(-1)).toBeLessThanOrEqual(counts[5] ?? 0)
})

it.each([
  { name: 'no key', headers: [...TO_SOCKET, VERSION], status: 400 },
  { name: 'a bad key', headers: [...TO_SOCKET, VERSION, 'Sec-WebSocket-Key: short'], status: 400 },
  { name: 'no version', headers: [...TO_SOCKET, KEY], status: 426 },
  { name: 'a bad version', headers: [...TO_SOCKET, KEY, 'Sec-WebSocket-Version: 12'], status: 426 },
  { name: 'a foreign origin', headers: [...TO_SOCKET, KEY, VERSION, 'Origin: http://evil.example'], status: 403 },
  { name: 'a bad subprotocol', headers: [...TO_SOCKET, KEY, VERSION, 'Sec-WebSocket-Protocol: ,'], status: 400 },
  { name: 'too many headers', headers: [...TO_SOCKET, KEY, VERSION, ...Array(1200).fill('a: b')], status: 431 },
  { name: 'as many headers as Node keeps', headers: [...TO_SOCKET, KEY, VERSION, ...Array(995).fill('a: b')], status: 431 }
])('answers an upgrade with $name and closes its connection', async ({ headers, status }) => {
  const { port, openConnections } = await listen()
  const connections = Array.from({ length: 20 }, () => new RawConnection(port).write(rawRequest('GET', '/v1/completions', headers)))
  for (const connection of connections) {
    expect(await connection.statuses(1)).toEqual([status])
    expect(connection.received).toMatch(/^connection: close\r$/im)
    await connection.closed()
  }
  await expect.poll(openConnections, { timeout: 5000 }).toBe(0)
})

it('answers unauthorized upgrades with 401 and closes their connections', async () => {
  const { port, openConnections } = await listen({ apiKeys: ['sk-1'] })
  const request = rawRequest('GET', '/v1/completions', [...TO_SOCKET, KEY, VERSION])
  const connections = Array.from({ length: 100 }, () => new RawConnection(port).write(request))
  for (const connection of connections) {
    expect(await connection.statuses(1)).toEqual([401])
    await connection.closed()
  }
  expect(await openConnections()).toBe(0)
})

it.each([
  ['GET', '/health', 200],
  ['GET', '/v1/chat/completions', 405],
  ['GET', '/unknown', 404],
  ['GET', '/v1/%63ompletions', 404],
  ['HEAD', '/v1/completions', 405],
  ['DELETE', '/v1/completions', 405]
])('hands over nothing but GET /v1/completions: %s %s', async (method, target, status) => {
  const { port } = await listen()
  using connection = new RawConnection(port).write(rawRequest(method, target, [...TO_SOCKET, KEY, VERSION]).repeat(2))
  expect(await connection.statuses(2)).toEqual([status, status])
})

it.each(['/v1/completions', '/v1/completions/', '/v1/completions?a=1', '/v1/completions/?a=1'])(
  'opens a WebSocket at %s, behind requests that are not answered yet, whatever other protocols the client offers',
  async target => {
    const { port } = await listen()
    using connection = new RawConnection(port).write(
      rawRequest('GET', '/openapi.json').repeat(5) +
        rawRequest('GET', target, ['connection: keep-alive, UPGRADE', 'Upgrade: h2c, WebSocket', KEY, VERSION])
    )
    expect(await connection.statuses(6)).toEqual([200, 200, 200, 200, 200, 101])
  }
)

it.each(UPGRADES.slice(0, 4))(
  'answers an upgrade (%s, %s) behind a response that fills the socket, and what arrives meanwhile',
  async (...headers) => {
    const { app, port } = await listen()
    const opened = once(app.server, 'connection') as Promise<[Socket]>
    using connection = new RawConnection(port)
    const [socket] = await opened
    connection.socket.pause()
    const upgrade = once(app.server, 'upgrade')
    connection.write(rawRequest('GET', '/docs/js/scalar.js') + rawRequest('POST', '/v1/completions', headers, BODY))
    await upgrade
    const before = socket.bytesRead
    const more = rawRequest('GET', '/unknown') + rawRequest('POST', '/v1/completions', headers, BODY)
    connection.write(more)
    await expect.poll(() => socket.bytesRead).toBe(before + more.length)
    connection.socket.resume()
    expect(await connection.statuses(4)).toEqual([200, 200, 404, 200])
  }
)

it('refuses CONNECT and closes the connection', async () => {
  const { port, openConnections } = await listen()
  const connection = new RawConnection(port).write(`${rawRequest('GET', '/health')}CONNECT a:1 HTTP/1.1\r\nHost: localhost\r\n\r\n`)
  expect(await connection.statuses(2)).toEqual([200, 405])
  await connection.closed()
  await expect.poll(openConnections).toBe(0)
})

it('survives clients that reset the connection while their upgrade waits for earlier answers', async () => {
  const { port, openConnections } = await listen()
  for (let count = 0; count < 20; count++) {
    const connection = new RawConnection(port)
    connection.socket.pause()
    connection.write(rawRequest('GET', '/docs/js/scalar.js') + rawRequest('GET', '/health', UPGRADES[0]))
    await once(connection.socket, 'readable')
    connection.socket.resetAndDestroy()
  }
  await expect.poll(openConnections).toBe(0)
})

it('logs a WebSocket request with its route, and an ignored upgrade like any other request', async () => {
  const { logger, lines } = readableLog()
  const { port } = await listen({ logger })
  const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/completions/`)
  await once(socket, 'open')
  socket.close()
  await once(socket, 'close')
  using connection = new RawConnection(port).write(rawRequest('GET', '/v1/models/', UPGRADES[0]))
  await connection.statuses(1)
  const routes = () => lines.filter(line => line['msg'] === 'request').map(line => line['route'])
  await expect.poll(routes).toEqual(['/v1/completions', '/v1/models'])
})
