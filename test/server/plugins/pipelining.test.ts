import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { answerInTurn } from '../../../src/server/plugins/pipelining.ts'
import { testApp } from '../app-parts.ts'
import { RawConnection, rawRequest } from '../raw-connection.ts'

/** A server whose answers the test gives. */
async function listen(maxWaiting?: number) {
  const begun: { url: string; response: ServerResponse }[] = []
  const server = createServer((request, response) => void begun.push({ url: request.url ?? '', response }))
  answerInTurn(server, maxWaiting)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { server, begun, port }
}

it('begins a request when the one before it on its connection is answered, and not before', async () => {
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

it('begins one request of a client that sends thousands and reads no answer, and reads no further', async () => {
  const { server, begun, port } = await listen()
  const accepted = once(server, 'connection')
  using connection = new RawConnection(port)
  const [socket] = await accepted
  const bytes = rawRequest('GET', '/').repeat(200_000)
  connection.write(bytes)
  await expect.poll(() => socket.isPaused()).toBe(true)
  expect(begun).toHaveLength(1)
  // Not more than a read or two: what else the client has sent stays with the kernel.
  expect(socket.bytesRead).toBeLessThan(262_144)
  connection.socket.resetAndDestroy()
  begun[0]?.response.end('x'.repeat(100_000))
  await new Promise(resolve => socket.once('close', resolve))
  expect(begun.length).toBeLessThan(10)
})

it('answers everything in order to a client that sends thousands and reads', async () => {
  const app = testApp()
  onTestFinished(async () => await app.close())
  await app.listen({ port: 0, host: '127.0.0.1' })
  using connection = new RawConnection((app.server.address() as AddressInfo).port)
  const body = '{"model":"tiny","prompt":"hi"}'
  const kinds = [rawRequest('GET', '/health'), rawRequest('POST', '/v1/completions', [], body), rawRequest('GET', '/unknown')]
  connection.write(kinds.join('').repeat(700))
  expect(await connection.statuses(2100)).toEqual(Array.from({ length: 2100 }, (_, at) => [200, 200, 404][at % 3]))
}, 60_000)

it('closes the connection of whose requests too many wait, and forgets what waited on it', async () => {
  const { begun, port } = await listen(10)
  for (let round = 0; round < 3; round++) {
    const connection = new RawConnection(port).write(rawRequest('GET', '/').repeat(100))
    await connection.closed()
  }
  using polite = new RawConnection(port).write(rawRequest('GET', '/').repeat(10))
  const before = begun.length
  for (let at = 0; at < 10; at++) {
    await expect.poll(() => begun.length).toBe(Math.max(before, 4) + at)
    begun.at(-1)?.response.end()
  }
  expect(await polite.statuses(10)).toHaveLength(10)
})
