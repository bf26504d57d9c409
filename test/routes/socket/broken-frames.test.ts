import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import { testApp } from '../../server/app-parts.ts'

/** A frame with a mask of zeros. */
function frame(opcode: number, payload: readonly number[]): Buffer {
  return Buffer.from([0x80 | opcode, 0x80 | payload.length, 0, 0, 0, 0, ...payload])
}

it.each([
  ['text that is not UTF-8', frame(1, [0xff, 0xff])],
  ['a close code that does not exist', frame(8, [0, 1])]
])('goes on serving others when frames follow one with %s, in reads of their own', async (_name, broken) => {
  const app = testApp()
  onTestFinished(async () => await app.close())
  await app.listen({ port: 0, host: '127.0.0.1' })
  const accepted = once(app.server, 'connection')
  const client = new WebSocket(`ws://127.0.0.1:${(app.server.address() as AddressInfo).port}/v1/completions`)
  await once(client, 'open')
  const [connection] = await accepted
  const closed = once(client, 'close')
  for (const chunk of [frame(1, [0x7b]), broken, frame(1, [0x7b, 0x7d])]) connection.emit('data', chunk)
  await closed
  expect((await app.inject('/health')).statusCode).toBe(200)
})
