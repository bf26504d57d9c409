import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import { expect, it, onTestFinished, vi } from 'vitest'
import type { AppOptions } from '../../../src/server/app.ts'
import { emitting, literalQueue } from '../../routes/literal-parts.ts'
import { testApp } from '../app-parts.ts'
import { RawConnection, rawRequest } from '../raw-connection.ts'

async function listen(changes: Partial<AppOptions> = {}) {
  const app = testApp(changes)
  onTestFinished(async () => await app.close())
  await app.listen({ port: 0, host: '127.0.0.1' })
  const openConnections = async () =>
    await new Promise<number>((resolve, reject) =>
      app.server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)))
    )
  return { port: (app.server.address() as AddressInfo).port, openConnections }
}

const SMALL = '{"model":"tiny","prompt":"hi"}'
/** Far more than a socket and the kernel buffer. */
const LARGE = `"${'x'.repeat(20_000_000)}"`
const CLOSE = ['Connection: close']
const REFUSED: readonly { name: string; bytes: string; status: number; changes?: Partial<AppOptions> }[] = [
  { name: 'a body that is too large', bytes: rawRequest('POST', '/v1/completions', [], LARGE), status: 413 },
  { name: 'a body that is too large, of a client that closes', bytes: rawRequest('POST', '/tokenize', CLOSE, LARGE), status: 413 },
  {
    name: 'a chunked body that is too large',
    bytes: `${rawRequest('POST', '/tokenize', ['Transfer-Encoding: chunked', 'Content-Type: application/json', ...CLOSE])}${LARGE.length.toString(16)}\r\n${LARGE}`,
    status: 413
  },
  { name: 'a compressed body', bytes: rawRequest('POST', '/tokenize', ['Content-Encoding: gzip', ...CLOSE], LARGE), status: 415 },
  { name: 'a wrong key', bytes: rawRequest('POST', '/tokenize', CLOSE, LARGE), status: 401, changes: { apiKeys: ['sk-1'] } },
  { name: 'new work at shutdown', bytes: rawRequest('POST', '/tokenize', [], LARGE), status: 503, changes: { isDraining: () => true } },
  { name: 'headers that are too large', bytes: rawRequest('POST', '/tokenize', [`X: ${LARGE}`], SMALL), status: 431 },
  { name: 'what is not HTTP', bytes: `${'\x00'.repeat(100)}${LARGE}`, status: 400 }
]

it.each(REFUSED)('a client that sends all before it reads gets the refusal of $name', async ({ bytes, status, changes = {} }) => {
  const { port, openConnections } = await listen(changes)
  for (let round = 0; round < 3; round++) {
    using connection = new RawConnection(port)
    connection.socket.pause()
    const isSent = new Promise<boolean>(resolve => connection.socket.write(bytes, 'latin1', error => resolve(error == null)))
    expect(await isSent).toBe(true)
    connection.socket.resume()
    expect(await connection.statuses(1)).toEqual([status])
  }
  await expect.poll(openConnections).toBe(0)
})

it('answers nothing that a client sends behind a refused body', async () => {
  const queue = literalQueue(emitting('a'))
  const { port } = await listen({ queue })
  const connection = new RawConnection(port)
  connection.socket.pause()
  connection.write(rawRequest('POST', '/tokenize', [], LARGE) + rawRequest('POST', '/v1/completions', [], SMALL).repeat(10))
  connection.socket.resume()
  await connection.closed()
  expect(queue.submitted).toEqual([])
})

it('does not linger after a request that is complete', async () => {
  vi.useFakeTimers({ toFake: ['setInterval'] })
  onTestFinished(() => void vi.useRealTimers())
  const { port, openConnections } = await listen()
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true }).resume()
  onTestFinished(() => void socket.destroy())
  socket.write(rawRequest('POST', '/tokenize', CLOSE, SMALL))
  await once(socket, 'end')
  await vi.waitFor(async () => expect(await openConnections()).toBe(0))
})

it('closes the connection of a refused client that neither sends more nor closes its side', async () => {
  const { port, openConnections } = await listen()
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true }).resume()
  onTestFinished(() => void socket.destroy())
  socket.write(rawRequest('POST', '/tokenize', CLOSE, LARGE).slice(0, 1000))
  await once(socket, 'end')
  await expect.poll(openConnections, { timeout: 5000 }).toBe(0)
})
