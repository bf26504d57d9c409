import { fastify } from 'fastify'
import { type DeliveryPolicy, PLAIN_DELIVERY } from '../../../src/inference/contract/delivery-policy.ts'
import { ServiceError } from '../../../src/inference/contract/errors.ts'
import { isTerminal, type LogEntry, type LoggedEvent, type QueuedEvent } from '../../../src/inference/contract/events.ts'
import { completionApi } from '../../../src/routes/completions/api.ts'
import type { CompletionView } from '../../../src/routes/completions/view.ts'
import { type StreamRouteOptions, streamRoute } from '../../../src/routes/streams/route.ts'
import { toStored } from '../../../src/routes/wire/dialect.ts'
import { answerErrors } from '../../../src/server/plugins/error-handler.ts'

export interface StoredStream {
  readonly view: CompletionView
  readonly events: readonly LoggedEvent[]
  readonly delivery?: Partial<DeliveryPolicy>
  readonly queued?: QueuedEvent
}

/** The route with one stored stream: the cancelled ids, and a function that requests the stream. */
export async function openStored({ view, events, delivery, queued }: StoredStream, changes: Partial<StreamRouteOptions> = {}) {
  const presentation = toStored({ dialect: 'completions', view })
  const entries = events.map((event, i): LogEntry => ({ ordinal: i + 1, event }))
  const last = events.at(-1)
  const end = last !== undefined && isTerminal(last) ? last : null
  const cancelled: string[] = []
  const app = fastify()
  answerErrors(app)
  await app.register(streamRoute, {
    queue: {
      async snapshot(id) {
        if (id !== view.id) throw new ServiceError('not_found', `no ${id} here`)
        return {
          delivery: { ...PLAIN_DELIVERY, owner: 'caller', presentation, ...delivery },
          queued: queued ?? null,
          last: entries.length,
          end
        }
      },
      entries: async (_id, afterOrdinal) => entries.slice(afterOrdinal, afterOrdinal + 3),
      async *events(_id, afterOrdinal) {
        if (afterOrdinal < entries.length) yield entries.slice(afterOrdinal)
      },
      cancel: async id => void cancelled.push(id)
    },
    dialects: [completionApi],
    callerOf: () => 'caller',
    leaving: new AbortController().signal,
    ...changes
  })
  const get = async (query = '', headers: Record<string, string> = {}) =>
    await app.inject({ method: 'GET', url: `/v1/streams/${view.id}${query}`, headers })
  return { app, get, cancelled }
}
