import { once } from 'node:events'
import { createServer, IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import fc from 'fast-check'
import { expect, it, onTestFinished } from 'vitest'
import { answerInTurn } from '../../../src/server/plugins/pipelining.ts'
import { testApp } from '../app-parts.ts'
import { RawConnection, rawRequest } from '../raw-connection.ts'

/** A server whose responses the test sends. */
async function listen(maxWaiting?: number) {
  const begun: { url: string; response: ServerResponse }[] = []
  const parsed = { requests: 0 }
  class Counted extends IncomingMessage {
    constructor(socket: Socket) {
      super(socket)
      parsed.requests++
    }
  }
  const server = createServer({ IncomingMessage: Counted }, (request, response) => void begun.push({ url: request.url ?? '', response }))
  answerInTurn(server, maxWaiting)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { server, begun, parsed, port }
}

it('starts a request only when the previous one on its connection is answered', async () => {
  const { begun, port } = await listen()
  using connection = new RawConnection(port)
  const urls = Array.from({ length: 50 }, (_, at) => `/${at}`)
  connection.write(urls.map(url => rawRequest('GET', url)).join(''))
  using other = new RawConnection(port).write(rawRequest('GET', '/other'))
  await expect.poll(() => begun.map(({ url }) => url).toSorted()).toEqual(['/0', '/other'])
  begun.find(({ url }) => url === '/other')?.response.end()
  await other.statuses(1)
  for (const [at, url] of urls.entries()) {
    await expect.poll(() => begun.at(-1 + (at === 0 && begun.at(-1)?.url === '/other' ? -1 : 0))?.url).toBe(url)
    begun.find(one => one.url === url)?.response.end(url)
  }
  expect(await connection.statuses(urls.length)).toHaveLength(urls.length)
  expect(begun).toHaveLength(urls.length + 1)
})

it('starts one request of a client that sends thousands and reads no response, and stops reading', async () => {
  const { server, begun, parsed, port } = await listen()
  const accepted = once(server, 'connection')
  using connection = new RawConnection(port)
  const [socket] = await accepted
  const bytes = rawRequest('GET', '/').repeat(200_000)
  connection.write(bytes)
  await expect.poll(() => socket.isPaused()).toBe(true)
  expect(begun).toHaveLength(1)
  // Node parses a whole read of 64 KiB at once, and blocks the event loop meanwhile.
  expect(parsed.requests).toBeLessThan(200)
  // At most a read or two: the other bytes stay in the kernel.
  expect(socket.bytesRead).toBeLessThan(262_144)
  connection.socket.resetAndDestroy()
  begun[0]?.response.end('x'.repeat(100_000))
  await new Promise(resolve => socket.once('close', resolve))
  expect(begun.length).toBeLessThan(10)
})

it('answers thousands of pipelined requests in order', async () => {
  const app = testApp()
  onTestFinished(async () => await app.close())
  await app.listen({ port: 0, host: '127.0.0.1' })
  using connection = new RawConnection((app.server.address() as AddressInfo).port)
  const body = '{"model":"tiny","prompt":"hi"}'
  const kinds = [rawRequest('GET', '/health'), rawRequest('POST', '/v1/completions', [], body), rawRequest('GET', '/unknown')]
  connection.write(kinds.join('').repeat(700))
  expect(await connection.statuses(2100)).toEqual(Array.from({ length: 2100 }, (_, at) => [200, 200, 404][at % 3]))
}, 60_000)

it('answers pipelined requests with bodies and with large responses completely and in order, however they are cut', async () => {
  const server = createServer(async (request, response) => {
    let length = 0
    for await (const data of request) length += data.length
    const isLarge = request.url === '/large'
    response.end(`${request.url} ${length}\n`.padEnd(isLarge ? 300_000 : 20, 'x'))
  })
  answerInTurn(server)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(() => void server.close())
  const { port } = server.address() as AddressInfo
  const kind = fc.record({
    url: fc.constantFrom('/small', '/small', '/small', '/large'),
    length: fc.constantFrom(0, 0, 0, 1, 1000, 3000, 200_000)
  })
  await fc.assert(
    fc.asyncProperty(
      fc.array(kind, { minLength: 1, maxLength: 100, size: 'max' }),
      fc.integer({ min: 500, max: 100_000 }),
      async (kinds, cut) => {
        using connection = new RawConnection(port)
        const bytes = kinds.map(({ url, length }) => rawRequest(length === 0 ? 'GET' : 'POST', url, [], 'b'.repeat(length))).join('')
        for (let at = 0; at < bytes.length; at += cut) connection.write(bytes.slice(at, at + cut))
        await connection.statuses(kinds.length)
        const answers = Array.from(connection.received.matchAll(/(\/(?:small|large)) (\d+)\n/g), ([, url, length]) => ({
          url,
          length: Number(length)
        }))
        expect(answers).toEqual(kinds)
      }
    ),
    { numRuns: 8 }
  )
}, 60_000)

it('closes a connection with too many waiting requests, and counts those that wait, not those that have waited', async () => {
  const { begun, port } = await listen(10)
  for (let round = 0; round < 3; round++) {
    const connection = new RawConnection(port).write(rawRequest('GET', '/').repeat(100))
    await connection.closed()
  }
  await expect.poll(() => begun.length).toBe(3)
  using polite = new RawConnection(port)
  for (let round = 1; round <= 3; round++) {
    const before = begun.length
    polite.write(rawRequest('GET', '/').repeat(10))
    for (let at = 1; at <= 10; at++) {
      await expect.poll(() => begun.length).toBe(before + at)
      begun.at(-1)?.response.end()
    }
    expect(await polite.statuses(10 * round)).toHaveLength(10 * round)
  }
})
