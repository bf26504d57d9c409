import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import fc from 'fast-check'
import { fastify } from 'fastify'
import { expect, it, onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import { completionApi } from '../../../src/routes/completions/api.ts'
import { MistakeLimit } from '../../../src/routes/socket/mistake-limit.ts'
import { socketRoute } from '../../../src/routes/socket/route.ts'
import { RawConnection, rawRequest } from '../../server/raw-connection.ts'
import { CARD, emitting, literalQueue, silent, TEXT } from '../literal-parts.ts'

const HANDSHAKE = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==']

async function listen(script = emitting('a'), pingMs = 30_000) {
  const queue = literalQueue(script)
  const app = fastify()
  await app.register(socketRoute, {
    queue,
    apis: [completionApi],
    text: TEXT,
    card: CARD,
    strictParams: false,
    warn: () => {},
    isDraining: () => false,
    clock: () => 0,
    callerOf: () => 'caller',
    leaving: new AbortController().signal,
    pingMs
  })
  await app.listen({ port: 0, host: '127.0.0.1' })
  onTestFinished(async () => await app.close())
  return { queue, port: (app.server.address() as AddressInfo).port }
}

/** A connection that has become a WebSocket, for frames that a client library does not send. */
async function rawSocket(port: number, headers: readonly string[] = []): Promise<RawConnection> {
  const connection = new RawConnection(port).write(rawRequest('GET', '/v1/completions', [...HANDSHAKE, ...headers]))
  expect(await connection.statuses(1)).toEqual([101])
  return connection
}

/** A masked text frame of up to 65,535 bytes. */
function textFrame(text: string): string {
  const length = text.length < 126 ? [0x80 | text.length] : [0x80 | 126, text.length >> 8, text.length & 0xff]
  return String.fromCharCode(0x81, ...length, 0, 0, 0, 0) + text
}

const create = (id: string) =>
  JSON.stringify({ type: 'completion.create', id, body: { model: 'tiny', prompt: 'hi', max_tokens: 4 }, background: true })

it('allows 128 mistakes at once and 16 a second for ever, and no more', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 200 }), { minLength: 1, maxLength: 1000 }), pauses => {
      let nowMs = 0
      const limit = new MistakeLimit(() => nowMs)
      let allowed = 0
      for (const pause of pauses) {
        nowMs += pause
        if (!limit.exceeds()) allowed++
      }
      expect(allowed).toBeLessThanOrEqual(128 + (16 * nowMs) / 1000)
    })
  )
  let nowMs = 0
  const limit = new MistakeLimit(() => nowMs)
  const exceeded = Array.from({ length: 2000 }, () => {
    nowMs += 1000 / 16
    return limit.exceeds()
  })
  expect(exceeded).not.toContain(true)
  expect(Array.from({ length: 129 }, () => limit.exceeds())).toEqual([...Array(127).fill(false), true, true])
})

it('serves nothing that arrives behind too many invalid frames', async () => {
  const { queue, port } = await listen()
  const connection = await rawSocket(port)
  connection.write(textFrame('{').repeat(200) + textFrame(create('late')).repeat(10))
  await connection.closed()
  expect(queue.submitted).toEqual([])
})

it('refuses more than 64 requests at a time on one socket', async () => {
  const { queue, port } = await listen(silent)
  using connection = await rawSocket(port)
  for (let id = 0; id < 65; id++) connection.write(textFrame(create(`r${id}`)))
  await expect.poll(() => connection.received).toContain('Expected at most 64 at a time')
  expect(connection.received).toContain('"id":"r64","error"')
  expect(queue.submitted).toHaveLength(64)
})

it('closes the socket of a client that answers no ping, and no other', async () => {
  const { port } = await listen(emitting('a'), 50)
  const healthy = new WebSocket(`ws://127.0.0.1:${port}/v1/completions`)
  const silentClient = await rawSocket(port)
  await silentClient.closed()
  for (let pings = 0; pings < 3; pings++) await once(healthy, 'ping')
  expect(healthy.readyState).toBe(WebSocket.OPEN)
  healthy.terminate()
})

it('accepts no compression, which would multiply what a client can send', async () => {
  const { port } = await listen()
  using connection = await rawSocket(port, ['Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits'])
  expect(connection.received).not.toMatch(/sec-websocket-extensions/i)
})
