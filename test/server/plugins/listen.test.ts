import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { networkInterfaces } from 'node:os'
import { expect, it, onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import type { AppOptions } from '../../../src/server/app.ts'
import { limitConnections } from '../../../src/server/plugins/limits.ts'
import { listen } from '../../../src/server/plugins/listen.ts'
import { readableLog, testApp } from '../app-parts.ts'
import { RawConnection, rawRequest } from '../raw-connection.ts'

/** Not every machine has IPv6: there, an address of the same family stands for ::1. */
const SECOND = Object.values(networkInterfaces()).some(list => list?.some(({ address }) => address === '::1')) ? '::1' : '127.0.0.2'
const ADDRESSES = ['127.0.0.1', SECOND] as const
/** Reserved for documentation: no machine has it. */
const FOREIGN = '2001:db8::1'
const BODY = '{"model":"tiny","prompt":"hi"}'
const H2C = ['Connection: Upgrade', 'Upgrade: h2c']

async function listenOnLocalhost(
  prepare: (app: ReturnType<typeof testApp>) => void = () => {},
  changes: Partial<AppOptions> = {},
  addresses: readonly string[] = ADDRESSES
) {
  const app = testApp(changes)
  onTestFinished(async () => await app.close())
  prepare(app)
  const url = await listen(app, { host: 'localhost', port: 0, resolve: async () => addresses })
  const { port } = app.server.address() as AddressInfo
  const connect = async (address: string) => {
    const accepted = once(app.server, 'connection')
    const connection = new RawConnection(port, address)
    await accepted
    return connection
  }
  return { app, url, port, connect }
}

it('listens on every address of localhost, and returns the URL of the first', async () => {
  const { url, port, connect } = await listenOnLocalhost()
  expect(url).toBe(`http://127.0.0.1:${port}`)
  for (const address of ADDRESSES) {
    using connection = await connect(address)
    connection.write(rawRequest('GET', '/health', H2C) + rawRequest('GET', '/health'))
    expect(await connection.statuses(2)).toEqual([200, 200])
  }
})

it.each(ADDRESSES)('opens WebSockets on %s, and closes them at shutdown', async address => {
  const { app, port } = await listenOnLocalhost()
  const socket = new WebSocket(`ws://${address.includes(':') ? `[${address}]` : address}:${port}/v1/completions`)
  await once(socket, 'open')
  socket.send(JSON.stringify({ type: 'completion.create', id: 'a', body: JSON.parse(BODY) }))
  const [data] = await once(socket, 'message')
  expect(JSON.parse(String(data))).toMatchObject({ type: 'started', id: 'a' })
  const closed = once(socket, 'close')
  await app.close()
  expect((await closed)[0]).toBe(1012)
})

it.each([
  { name: 'an address of a family that this machine does not have comes first', addresses: [FOREIGN, ...ADDRESSES] },
  { name: 'such an address comes last', addresses: [...ADDRESSES, FOREIGN] },
  { name: 'an address comes twice, as from a hosts file with a line for each family', addresses: [...ADDRESSES, ...ADDRESSES] }
])('listens on the others, without a warning, where $name', async ({ addresses }) => {
  const { logger, lines } = readableLog()
  const { url, port, connect } = await listenOnLocalhost(() => {}, { logger }, addresses)
  expect(url).toBe(`http://127.0.0.1:${port}`)
  for (const address of ADDRESSES) {
    using connection = await connect(address)
    expect(await connection.write(rawRequest('GET', '/v1/models')).statuses(1)).toEqual([200])
  }
  expect(lines.filter(({ level }) => Number(level) >= 40)).toEqual([])
})

it('refuses to start where this machine has none of the addresses', async () => {
  await expect(listenOnLocalhost(() => {}, {}, [FOREIGN])).rejects.toMatchObject({ code: 'EADDRNOTAVAIL' })
})

it.each(ADDRESSES)('lets clients read a response that comes before the end of their request on %s', async address => {
  const { connect } = await listenOnLocalhost()
  using connection = await connect(address)
  connection.socket.pause()
  connection.write(rawRequest('POST', '/tokenize', ['Connection: close'], `"${'x'.repeat(10_000_000)}"`))
  await once(connection.socket, 'drain')
  connection.socket.resume()
  expect(await connection.statuses(1)).toEqual([413])
})

it.each(ADDRESSES)('answers pipelined requests in turn on %s', async address => {
  let running = 0
  let most = 0
  const { connect } = await listenOnLocalhost(app => {
    app.addHook('onRequest', async (_, reply) => {
      most = Math.max(most, ++running)
      reply.raw.once('close', () => running--)
    })
  })
  using connection = await connect(address)
  connection.write(rawRequest('GET', '/health').repeat(20))
  expect(await connection.statuses(20)).toHaveLength(20)
  expect(most).toBe(1)
})

it.each(ADDRESSES)('closes idle connections on %s at shutdown, and waits for its responses', async address => {
  const { app, connect } = await listenOnLocalhost()
  using idle = await connect(address)
  using incomplete = await connect(address)
  using reading = await connect(address)
  const requested = once(app.server, 'request')
  incomplete.write(rawRequest('POST', '/v1/completions', [], BODY).slice(0, -5))
  await requested
  reading.socket.pause()
  reading.write(rawRequest('GET', '/docs/js/scalar.js'))
  await once(reading.socket, 'readable')
  let isClosed = false
  const closed = app.close().then(() => {
    isClosed = true
  })
  await idle.closed()
  expect(await incomplete.statuses(1)).toEqual([503])
  await incomplete.closed()
  expect(isClosed).toBe(false)
  reading.socket.resume()
  const length = Number(/content-length: (\d+)/.exec((await reading.statuses(1)) && reading.received)?.[1])
  await closed
  await reading.closed()
  expect(reading.received.length).toBeGreaterThan(length)
})

it('limits the connections of all addresses together', async () => {
  const { port, connect } = await listenOnLocalhost(app => limitConnections(app.server, 2))
  const open = [await connect(ADDRESSES[0]), await connect(ADDRESSES[1])]
  for (const address of ADDRESSES) await new RawConnection(port, address).closed()
  open[0]?.socket.destroy()
  await expect
    .poll(async () => {
      using connection = new RawConnection(port, SECOND).write(rawRequest('GET', '/health'))
      return await connection.statuses(1).catch(() => 'closed')
    })
    .toEqual([200])
  open[1]?.socket.destroy()
})

it('reports a second address that is in use, and serves the first', async () => {
  const taken = await listenOnLocalhost()
  const { logger, line } = readableLog()
  const app = testApp({ logger })
  onTestFinished(async () => await app.close())
  const busy = async () => ['127.0.0.3', SECOND]
  expect(await listen(app, { host: 'localhost', port: taken.port, resolve: busy })).toBe(`http://127.0.0.3:${taken.port}`)
  expect(await line('cannot listen on an address of localhost')).toMatchObject({ address: SECOND })
})
