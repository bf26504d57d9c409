import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { LoggedEvent } from '../../../src/inference/contract/events.ts'
import { completionApi } from '../../../src/routes/completions/api.ts'
import { toSseBlocks } from '../../../src/routes/wire/stream/sse-blocks.ts'
import { story, USAGE, VIEW } from '../completions/story.ts'
import { finished, readSse } from '../literal-parts.ts'
import { openStored, type StoredStream } from './stored-stream.ts'

const FAILED: LoggedEvent = { kind: 'failed', failure: { code: 'poisoned', message: 'It killed two workers.', param: null } }
const TOKEN: LoggedEvent = { kind: 'token', choice: 0, position: 0, tokenId: 1, text: 'a', score: null, end: null }

/** A story that has finished, has failed, or is running. */
const stored: fc.Arbitrary<StoredStream> = fc
  .tuple(story, fc.constantFrom('well', 'badly'))
  .map(([{ view, events }, how]) => ({ view, events: how === 'well' ? events : [...events.slice(0, -1), FAILED] }))

type Sse = ReturnType<typeof readSse>

/**
 * The events that a reader has not received after `ordinal`: an event without an id belongs to the next event that has
 * one.
 */
function remaining(all: Sse, ordinal: number): Sse {
  return all.slice(all.findLastIndex(({ id }) => id !== null && Number(id) <= ordinal) + 1)
}

async function everything({ view, events }: StoredStream): Promise<Sse> {
  const entries = events.map((event, i) => ({ ordinal: i + 1, event }))
  const batches = (async function* () {
    yield entries
  })()
  let body = ''
  for await (const block of toSseBlocks(completionApi.presenter(view), batches)) body += block
  return readSse(body)
}

it('sends exactly the remaining events, wherever a stream is resumed', async () => {
  await fc.assert(
    fc.asyncProperty(stored, fc.boolean(), async (stream, byHeader) => {
      const all = await everything(stream)
      const { get } = await openStored(stream)
      for (let ordinal = 0; ordinal < stream.events.length; ordinal++) {
        const response = byHeader ? await get('', { 'last-event-id': `${ordinal}` }) : await get(`?starting_after=${ordinal}`)
        expect(response.statusCode).toBe(200)
        expect(readSse(response.body)).toEqual(remaining(all, ordinal))
      }
      expect((await get(`?starting_after=${stream.events.length}`)).statusCode).toBe(204)
    }),
    { numRuns: 40 }
  )
})

it('returns a response with the content of its stream so far', async () => {
  await fc.assert(
    fc.asyncProperty(story, fc.nat(), async ({ view, events }, cut) => {
      const emitted = events.slice(0, cut % (events.length + 1))
      const { get } = await openStored({ view, events: emitted })
      const { response } = (await get('?stream=false')).json()
      if (response === null) {
        expect(emitted.filter(event => event.kind !== 'started')).toEqual([])
        return
      }
      const chunks = (await everything({ view, events: emitted }))
        .filter(({ data }) => data !== '[DONE]')
        .map(({ data }) => JSON.parse(data))
      for (const choice of response.choices) {
        const parts = chunks.flatMap(chunk => chunk.choices).filter(part => part.index === choice.index)
        expect(choice.text).toBe(parts.map(part => part.text).join(''))
        expect(choice.finish_reason).toBe(parts.at(-1)?.finish_reason ?? null)
      }
    }),
    { numRuns: 40 }
  )
})

const done: StoredStream = { view: VIEW, events: [{ kind: 'started' }, TOKEN, finished(USAGE)] }

it('prefers the query parameter to the header', async () => {
  const { get } = await openStored(done)
  expect(readSse((await get('?starting_after=2', { 'last-event-id': '0' })).body).map(({ id }) => id)).toEqual(['3'])
})

it.each([
  { query: '?starting_after=-1', headers: {}, states: ["'starting_after'", 'from 0 to', '"-1"'] },
  { query: '?starting_after=1.5', headers: {}, states: ["'starting_after'", 'an integer', '"1.5"'] },
  { query: '?starting_after=99999999999999999', headers: {}, states: ["'starting_after'", '9007199254740991', '"99999999999999999"'] },
  { query: '?starting_after=1&starting_after=2', headers: {}, states: ["'starting_after'", 'an array of length 2'] },
  { query: '', headers: { 'last-event-id': 'abc' }, states: ["'Last-Event-ID'", 'from 0 to', '"abc"'] },
  { query: '?stream=no', headers: {}, states: ["'stream'", 'true or false', '"no"'] }
])('refuses $query $headers, naming field, bound and value', async ({ query, headers, states }) => {
  const { get } = await openStored(done)
  const response = await get(query, headers)
  expect(response.statusCode).toBe(400)
  for (const part of states) expect(response.json().error.message).toContain(part)
})

it.each([
  { events: [], queued: { kind: 'queued', position: 2, etaMs: 900.4 } as const, state: { status: 'queued', position: 2, eta_ms: 900 } },
  { events: [], state: { status: 'running', response: null } },
  { events: [{ kind: 'started' } as const], state: { status: 'running', response: null } },
  { events: [TOKEN], state: { status: 'running', response: { usage: null, choices: [{ text: 'a' }] } } },
  { events: done.events, state: { status: 'finished', position: null, eta_ms: null, response: { usage: { total_tokens: 3 } } } },
  { events: [TOKEN, FAILED], state: { status: 'failed', response: { choices: [{ text: 'a' }] }, error: { code: 'request_poisoned' } } }
])('returns the state $state.status', async ({ state, ...stream }) => {
  const { get } = await openStored({ view: VIEW, ...stream })
  const response = await get('?stream=false')
  expect(response.statusCode).toBe(200)
  expect(response.json()).toMatchObject({ id: VIEW.id, ...state })
  expect('error' in response.json()).toBe(state.status === 'failed')
})

it.each(['GET', 'DELETE'] as const)(
  'answers %s with the same 404 for an unknown stream and for a stream of another owner',
  async method => {
    const { app, cancelled } = await openStored({ ...done, delivery: { owner: 'somebody else' } })
    const anothers = await app.inject({ method, url: `/v1/streams/${VIEW.id}` })
    const unknown = await app.inject({ method, url: '/v1/streams/cmpl-2' })
    expect([anothers.statusCode, unknown.statusCode]).toEqual([404, 404])
    expect(anothers.json().error).toMatchObject({ type: 'invalid_request_error', code: 'not_found', param: null })
    expect(anothers.json().error.message.replace(VIEW.id, 'x')).toBe(unknown.json().error.message.replace('cmpl-2', 'x'))
    expect(cancelled).toEqual([])
  }
)

it('refuses new readers while this process is about to exit, except for plain requests', async () => {
  const leaving = AbortSignal.abort()
  const resumable = await openStored({ ...done, delivery: { onDisconnect: 'grace' } }, { leaving })
  const response = await resumable.get()
  expect(response.statusCode).toBe(503)
  expect(response.headers['retry-after']).toBeDefined()
  const plain = await openStored(done, { leaving })
  expect(readSse((await plain.get()).body).at(-1)?.data).toBe('[DONE]')
})
