import { Readable } from 'node:stream'
import type { FastifyReply } from 'fastify'
import { eventLoopTurn } from '../../inference/contract/event-loop.ts'
import { jsonPieces } from './json-pieces.ts'

/** A client that reads nothing for so long is given up: its socket is closed. */
const STALL_MS = 60_000

/**
 * Sends plain data and lazy lists as JSON. What is more than one piece is written as the client reads it, and other
 * requests get their turns in between.
 */
export function sendJson(reply: FastifyReply, value: object, stallMs = STALL_MS): FastifyReply {
  const pieces = jsonPieces(value)
  const first = pieces.next()
  const second = pieces.next()
  reply.type('application/json; charset=utf-8')
  if (second.done === true) return reply.send(first.value ?? '')
  return reply.send(Readable.from(paced(reply, [first.value ?? '', second.value], pieces, stallMs), { objectMode: false }))
}

/** The pieces, no sooner than they are asked for. */
async function* paced(
  reply: FastifyReply,
  made: readonly string[],
  rest: Iterable<string>,
  stallMs: number
): AsyncGenerator<string, void, undefined> {
  for (const pieces of [made, rest]) {
    for (const piece of pieces) {
      const stalled = setTimeout(() => reply.raw.destroy(), stallMs)
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
