import { Readable } from 'node:stream'
import type { FastifyReply } from 'fastify'
import { eventLoopTurn } from '../../../inference/contract/event-loop.ts'
import { resetConnection, STALL_MS } from '../stream/stalled-client.ts'
import { jsonPieces } from './json-pieces.ts'

/**
 * Sends plain data and lazy lists as JSON. A body of several pieces is streamed with backpressure, and yields to other
 * requests between pieces.
 */
export function sendJson(reply: FastifyReply, value: object, stallMs = STALL_MS): FastifyReply {
  const pieces = jsonPieces(value)
  const first = pieces.next()
  const second = pieces.next()
  reply.type('application/json; charset=utf-8')
  if (second.done === true) return reply.send(first.value ?? '')
  return reply.send(Readable.from(paced(reply, [first.value ?? '', second.value], pieces, stallMs), { objectMode: false }))
}

/** The pieces, each created when the stream requests it. */
async function* paced(
  reply: FastifyReply,
  first: readonly string[],
  rest: Iterable<string>,
  stallMs: number
): AsyncGenerator<string, void, undefined> {
  for (const pieces of [first, rest]) {
    for (const piece of pieces) {
      const stalled = setTimeout(resetConnection, stallMs, reply.raw)
      try {
        yield piece
      } finally {
        clearTimeout(stalled)
      }
      const turn = eventLoopTurn()
      if (turn !== null) await turn
    }
  }
}
