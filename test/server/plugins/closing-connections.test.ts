import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import { Readable } from 'node:stream'
import { fastify } from 'fastify'
import { expect, it } from 'vitest'
import { closeConnections } from '../../../src/server/plugins/closing-connections.ts'
import { testApp } from '../app-parts.ts'
import { RawConnection, rawRequest } from '../raw-connection.ts'

const BODY = '{"model":"tiny","prompt":"hi"}'
const TO_SOCKET = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==']

/** Bytes after which a client stops sending, and the number of responses it has received. */
const SILENT = [
  { name: 'nothing', bytes: '', answers: 0 },
  { name: 'half a request line', bytes: 'GET /hea', answers: 0 },
  { name: 'half the headers', bytes: 'GET /health HTTP/1.1\r\nHost: localhost\r\n', answers: 0 },
  { name: 'half of an upgrade', bytes: rawRequest('GET', '/v1/completions', TO_SOCKET).slice(0, -2), answers: 0 },
  { name: 'an upgrade to a WebSocket', bytes: rawRequest('GET', '/v1/completions', TO_SOCKET), answers: 1 },
  { name: 'an upgrade that is refused', bytes: rawRequest('GET', '/v1/completions', TO_SOCKET.slice(0, 2)), answers: 1 },
  { name: 'an upgrade that is ignored', bytes: rawRequest('GET', '/health', ['Connection: Upgrade', 'Upgrade: h2c']), answers: 1 },
  {
    name: 'an upgrade after another request',
    bytes: rawRequest('GET', '/health') + rawRequest('GET', '/v1/completions', TO_SOCKET),
    answers: 2
  },
  { name: 'a request with keep-alive', bytes: rawRequest('GET', '/health'), answers: 1 },
  { name: 'a request and half of another', bytes: `${rawRequest('GET', '/health')}GET /he`, answers: 1 },
  { name: 'a request that is not HTTP', bytes: 'what?\r\n\r\n', answers: 1 },
  { name: 'a CONNECT', bytes: 'CONNECT a:1 HTTP/1.1\r\nHost: localhost\r\n\r\n', answers: 1 }
]

async function listen() {
  const app = testApp()
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as AddressInfo
  const connect = async () => {
    const accepted = once(app.server, 'connection')
    const connection = new RawConnection(port)
    await accepted
    return connection
  }
  return { app, connect }
}

it.each(SILENT)('a client that has sent $name does not delay a server that closes', async ({ bytes, answers }) => {
  const { app, connect } = await listen()
  using connection = await connect()
  connection.write(bytes)
  await connection.statuses(answers)
  if (answers === 0 && bytes !== '') await expect.poll(() => connection.socket.bytesWritten).toBe(bytes.length)
  await app.close()
  await connection.closed()
})

it('answers a request with an incomplete body with 503 when the server closes', async () => {
  const { app, connect } = await listen()
  using connection = await connect()
  const requested = once(app.server, 'request')
  connection.write(rawRequest('POST', '/v1/completions', [], BODY).slice(0, -5))
  await requested
  const closed = app.close()
  expect(await connection.statuses(1)).toEqual([503])
  await closed
  await connection.closed()
})

it('completes a response that has begun, and then closes its connection', async () => {
  const { app, connect } = await listen()
  using connection = await connect()
  connection.socket.pause()
  connection.write(rawRequest('GET', '/docs/js/scalar.js'))
  await once(connection.socket, 'readable')
  const closed = app.close()
  connection.socket.resume()
  const length = Number(/content-length: (\d+)/.exec((await connection.statuses(1)) && connection.received)?.[1])
  await closed
  await connection.closed()
  expect(connection.received.length).toBeGreaterThan(length)
})

it('writes nothing into a response that has begun before the end of its request', async () => {
  const { app, connect } = await listen()
  using connection = await connect()
  connection.socket.pause()
  connection.write(rawRequest('GET', '/docs/js/scalar.js', ['Content-Length: 10']))
  await once(connection.socket, 'readable')
  const closed = app.close()
  connection.socket.resume()
  await closed
  await connection.closed()
  expect(connection.received).toMatch(/^HTTP\/1\.1 200 /)
  expect(connection.received).not.toContain('503 Service Unavailable')
})

it('writes nothing but frames to a WebSocket', async () => {
  const { app, connect } = await listen()
  using connection = await connect()
  connection.write(rawRequest('GET', '/v1/completions', TO_SOCKET))
  await connection.statuses(1)
  await app.close()
  await connection.closed()
  expect(connection.received).not.toContain('503 Service Unavailable')
})

it('leaves no timer behind', async () => {
  const timers = () => process.getActiveResourcesInfo().filter(kind => kind === 'Timeout').length
  const before = timers()
  const { app, connect } = await listen()
  using connection = await connect()
  await connection.write(rawRequest('GET', '/health')).statuses(1)
  await app.close()
  await connection.closed()
  await expect.poll(timers).toBeLessThanOrEqual(before + 1) // of the poll itself
})

it('waits for a client that reads slowly', async () => {
  const length = 60_000_000
  const app = fastify({ forceCloseConnections: false })
  closeConnections(app, 500)
  app.get('/', async (_, reply) => await reply.send(Readable.from(Array(length / 10_000).fill('x'.repeat(10_000)), { objectMode: false })))
  await app.listen({ port: 0, host: '127.0.0.1' })
  const socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1')
  let bytes = 0
  // Reads a little between two checks of the server.
  socket.on('data', data => {
    bytes += data.length
    socket.pause()
    setTimeout(() => socket.resume(), 2)
  })
  socket.write(rawRequest('GET', '/'))
  await once(socket, 'data')
  const closed = app.close()
  await once(socket, 'end')
  await closed
  expect(bytes).toBeGreaterThan(length)
})

it('does not wait for a client that reads nothing of its answers', async () => {
  const app = fastify({ forceCloseConnections: false })
  closeConnections(app, 50)
  const begun = new Promise<void>(resolve => {
    app.get('/', async () => {
      resolve()
      return 'x'.repeat(50_000_000)
    })
  })
  await app.listen({ port: 0, host: '127.0.0.1' })
  using connection = new RawConnection((app.server.address() as AddressInfo).port)
  connection.socket.pause()
  connection.write(rawRequest('GET', '/'))
  await begun
  await app.close()
  connection.socket.resume()
  await connection.closed()
  expect(connection.received.length).toBeLessThan(50_000_000)
})
