import fc from 'fast-check'
import { type FastifyInstance, type FastifyPluginAsync, fastify } from 'fastify'
import { expect, it } from 'vitest'
import { PLAIN_DELIVERY } from '../../../src/inference/contract/delivery-policy.ts'
import type { LogEntry, LoggedEvent } from '../../../src/inference/contract/events.ts'
import { chatApi } from '../../../src/routes/chat/api.ts'
import { completionApi } from '../../../src/routes/completions/api.ts'
import { GENERATION_APIS } from '../../../src/routes/generation-apis.ts'
import { socketRoute } from '../../../src/routes/socket/route.ts'
import { streamRoute } from '../../../src/routes/streams/route.ts'
import { toStored } from '../../../src/routes/wire/dialect.ts'
import { story as chatStory } from '../chat/story.ts'
import { story as completionStory } from '../completions/story.ts'
import { CARD, finished, readSse, TEXT } from '../literal-parts.ts'

/** A frame as a client receives it, and the ordinal after which the stream can be resumed. */
interface Frame {
  readonly states: unknown
  readonly position: number | null
}

/** Reads a stream to its end, after an ordinal (0: all events). */
type Read = (after: number) => Promise<readonly Frame[]>

interface Stored {
  readonly dialect: string
  readonly view: object
  readonly events: readonly LoggedEvent[]
}

const stored: fc.Arbitrary<Stored> = fc.oneof(
  completionStory.map(({ view, events }) => ({ dialect: completionApi.name, view, events })),
  chatStory.map(({ view, events }) => ({ dialect: chatApi.name, view, events }))
)

async function serve({ dialect, view, events }: Stored): Promise<FastifyInstance> {
  const entries = events.map((event, i): LogEntry => ({ ordinal: i + 1, event }))
  const delivery = { ...PLAIN_DELIVERY, owner: 'caller', presentation: toStored({ dialect, view }) }
  const end = finished({ promptTokens: 1, completionTokens: 1, cachedTokens: 0 })
  const options = {
    queue: {
      submit: async ({ id }: { readonly id: string }) => id,
      deliveryPolicy: async () => delivery,
      snapshot: async () => ({ delivery, queued: null, last: entries.length, end }),
      entries: async (_id: string, after: number) => entries.slice(after, after + 3),
      async *events(_id: string, after: number) {
        if (after < entries.length) yield entries.slice(after)
      },
      cancel: async () => {}
    },
    dialects: GENERATION_APIS,
    apis: GENERATION_APIS,
    text: TEXT,
    card: CARD,
    strictParams: false,
    warn: () => {},
    callerOf: () => 'caller',
    leaving: new AbortController().signal,
    isDraining: () => false,
    clock: () => 0
  }
  const app = fastify()
  let inner: FastifyInstance = app
  await app.register(streamRoute, options)
  const sockets: FastifyPluginAsync = async child => {
    inner = child
    await socketRoute(child, options)
  }
  await app.register(sockets)
  await app.ready()
  return inner
}

function overSse(app: FastifyInstance): Read {
  return async after => {
    const { body } = await app.inject({ method: 'GET', url: '/v1/streams/x', headers: { 'last-event-id': String(after) } })
    return readSse(body).map(({ id, data }) => ({ states: data, position: id === null ? null : Number(id) }))
  }
}

function overSocket(app: FastifyInstance): Read {
  return async after => {
    const socket = await app.injectWS('/v1/completions')
    const frames: Frame[] = []
    const { promise, resolve } = Promise.withResolvers<void>()
    socket.on('message', text => {
      const { type, seq = null, data } = JSON.parse(String(text))
      if (type === 'chunk') frames.push({ states: data, position: seq })
      if (type === 'done') resolve()
    })
    socket.send(JSON.stringify({ type: 'resume', id: 'a', stream_id: 'x', after }))
    await promise
    socket.terminate()
    return frames
  }
}

it.each([
  { wire: 'server-sent events', readerOf: overSse },
  { wire: 'a WebSocket', readerOf: overSocket }
])('is complete after a disconnect at any frame of $wire, whatever the dialect and the options', async ({ readerOf }) => {
  await fc.assert(
    fc.asyncProperty(stored, async stream => {
      const app = await serve(stream)
      const read = readerOf(app)
      const whole = await read(0)
      for (let cut = 0; cut <= whole.length; cut++) {
        const had = whole.slice(0, cut)
        // As docs/streams.md requires of clients: frames after the last ordinal belong to an incomplete entry, and are
        // sent again.
        const kept = had.slice(0, had.findLastIndex(({ position }) => position !== null) + 1)
        expect([...kept, ...(await read(kept.at(-1)?.position ?? 0))]).toEqual(whole)
      }
      await app.close()
    }),
    { numRuns: 30 }
  )
})

it('repeats no frame of complete entries, and sets an id on every visible entry', async () => {
  await fc.assert(
    fc.asyncProperty(stored, async stream => {
      const app = await serve(stream)
      const [sse, socket] = [await overSse(app)(0), await overSocket(app)(0)]
      const emitted = sse.filter(({ states }) => states !== '[DONE]')
      expect(socket.map(({ states }) => states)).toEqual(emitted.map(({ states }) => JSON.parse(String(states))))
      const positions = socket.flatMap(({ position }) => position ?? [])
      expect(positions).toEqual(positions.toSorted((a, b) => a - b))
      expect(new Set(positions).size).toBe(positions.length)
      expect(socket.at(-1)?.position ?? 0).toBeGreaterThan(0)
      await app.close()
    }),
    { numRuns: 30 }
  )
})
