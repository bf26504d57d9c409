import type { FastifyReply } from 'fastify'

/** Nginx's status for a client that went before its answer; the wire never carries it. */
export const CLIENT_GONE = 499

/** How an answer that is over went. */
export function answerStatus({ raw }: FastifyReply): number {
  return raw.writableEnded ? raw.statusCode : CLIENT_GONE
}
