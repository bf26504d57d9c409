import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import { fastify } from 'fastify'
import { expect, it, onTestFinished } from 'vitest'
import { LazyList } from '../../../src/routes/wire/json/json-pieces.ts'
import { sendJson } from '../../../src/routes/wire/json/send-json.ts'

/** Serves a list with the requested number of items, and counts how many were created. */
async function serve(items: number, stallMs?: number) {
  const made = { items: 0 }
  const list = new LazyList(function* () {
    for (; made.items < items; made.items++) yield `${made.items} `.padEnd(1000, 'x')
  })
  const app = fastify()
  app.get('/', (_request, reply) => sendJson(reply, { list }, stallMs))
  await app.listen({ port: 0, host: '127.0.0.1' })
  onTestFinished(async () => {
    app.server.closeAllConnections()
    await app.close()
  })
  return { app, made, port: (app.server.address() as AddressInfo).port }
}

it('sends a small response in one piece, with its length', async () => {
  const { app } = await serve(3)
  const response = await app.inject('/')
  expect(response.headers).toMatchObject({ 'content-type': 'application/json; charset=utf-8', 'content-length': expect.anything() })
  expect(response.json().list).toHaveLength(3)
})

it('sends a long response completely, and yields to other work in between', async () => {
  const { app, made } = await serve(20_000)
  let turns = 0
  const other = setInterval(() => turns++, 0)
  const response = await app.inject('/')
  clearInterval(other)
  expect(response.json().list).toHaveLength(20_000)
  expect(made.items).toBe(20_000)
  expect(turns).toBeGreaterThan(1)
})

it('creates no more of a response than its client reads, and disconnects a client that reads nothing', async () => {
  const { made, port } = await serve(1_000_000, 50)
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  socket.pause()
  socket.write('GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n')
  await expect.poll(() => made.items, { timeout: 10_000 }).toBeGreaterThan(0)
  const failures: Error[] = []
  socket.on('error', error => failures.push(error))
  let size = -1
  await expect
    .poll(
      () => {
        const isStill = size === made.items
        size = made.items
        return isStill
      },
      { timeout: 10_000, interval: 200 }
    )
    .toBe(true)
  expect(made.items).toBeLessThan(20_000)
  socket.resume()
  // A plain close would leave the unread bytes in the kernel.
  await expect.poll(() => failures).toMatchObject([{ code: 'ECONNRESET' }])
  expect(made.items).toBeLessThan(20_000)
})
