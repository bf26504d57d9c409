import { expect, it, vi } from 'vitest'
import { readSse } from '../literal-parts.ts'
import { HOLD, idOf, json, readUntil, serveEmbedded } from './serve-embedded.ts'

const KEY = { 'idempotency-key': 'order 66' }

/** The concatenated texts of a stream. */
function textsOf(body: string): string[] {
  const texts: string[] = []
  for (const { data } of readSse(body)) {
    if (data === '[DONE]') continue
    for (const choice of JSON.parse(data).choices) texts[choice.index] = (texts[choice.index] ?? '') + choice.text
  }
  return texts
}

it('has the same content whole, streamed and resumed', async () => {
  const { post, streams } = await serveEmbedded()
  const fields = { n: 2, max_tokens: 5 }
  const whole = await json(await post(fields))
  const streamed = await post({ ...fields, stream: true })
  const body = await streamed.text()
  const texts = whole.choices.map((choice: { text: string }) => choice.text)
  expect(textsOf(body)).toEqual(texts)

  const events = readSse(body)
  const last = Number(events.at(-1)?.id)
  for (let ordinal = 0; ordinal < last; ordinal++) {
    const again = await streams(idOf(streamed), '', { headers: { 'last-event-id': `${ordinal}` } })
    expect(readSse(await again.text())).toEqual(events.filter(({ id }) => Number(id) > ordinal))
  }
  expect((await streams(idOf(streamed), `?starting_after=${last}`)).status).toBe(204)
  const state = await json(await streams(idOf(streamed), '?stream=false'))
  expect(state).toMatchObject({ id: idOf(streamed), status: 'finished', position: null, eta_ms: null })
  expect(state.response.choices.map((choice: { text: string }) => choice.text)).toEqual(texts)
  expect(state.response).toMatchObject({ id: idOf(streamed), object: 'text_completion', usage: whole.usage })
})

it('also streams a request that was answered whole, with its own options', async () => {
  const { post, streams } = await serveEmbedded()
  const whole = await json(await post({ return_token_ids: true }))
  const body = await (await streams(whole.id)).text()
  const chunks = readSse(body)
    .slice(0, -1)
    .map(({ data }) => JSON.parse(data))
  expect(chunks[0].choices[0].prompt_token_ids).toEqual(whole.choices[0].prompt_token_ids)
  expect(chunks.every(chunk => chunk.created === whole.created)).toBe(true)
})

it('is not found by another caller', async () => {
  const { post, streams } = await serveEmbedded({ apiKeys: ['one', 'two'] })
  const as = (key: string) => ({ headers: { authorization: `Bearer ${key}` } })
  const { id } = await json(await post({}, as('one')))
  expect((await streams(id, '', as('one'))).status).toBe(200)
  expect((await streams(id, '', as('two'))).status).toBe(404)
  expect((await streams(id, '', { ...as('two'), method: 'DELETE' })).status).toBe(404)
  expect((await streams(id)).status).toBe(401)
})

it('cancels on DELETE for all readers, and keeps the emitted tokens', async () => {
  const { post, streams } = await serveEmbedded()
  const reading = await post({ prompt: HOLD, stream: true })
  await readUntil(reading, '0.0')
  const deleted = await streams(idOf(reading), '', { method: 'DELETE' })
  expect(deleted.status).toBe(200)
  const state = await json(deleted)
  expect(state).toMatchObject({ status: 'cancelled', response: { choices: [{ text: '0.0 ', finish_reason: null }], usage: null } })
  expect(await readUntil(reading, 'never')).toContain('request_cancelled')
  expect(await json(await streams(idOf(reading), '', { method: 'DELETE' }))).toEqual(state)
})

it('answers a background request with 202 and its location, and completes it', async () => {
  const { post, streams } = await serveEmbedded()
  const accepted = await post({ background: true })
  expect(accepted.status).toBe(202)
  const state = await json(accepted)
  expect(state).toEqual({ id: idOf(accepted), status: expect.stringMatching(/^(queued|running)$/), position: state.position, eta_ms: null })
  expect(accepted.headers.get('location')).toBe(`/v1/streams/${state.id}`)
  expect(readSse(await (await streams(state.id)).text()).at(-1)?.data).toBe('[DONE]')
})

it.each([
  { fields: { background: true }, headers: {}, goesOn: true },
  { fields: {}, headers: { 'x-resumable': 'true' }, goesOn: true },
  { fields: {}, headers: KEY, goesOn: true },
  { fields: {}, headers: { 'x-resumable': 'false' }, goesOn: false }
])('continues a request with $fields $headers after its reader disconnects: $goesOn', async ({ fields, headers, goesOn }) => {
  const { post, streams } = await serveEmbedded()
  const client = new AbortController()
  const reading = await post({ prompt: HOLD, stream: true, ...fields }, { headers, signal: client.signal })
  await readUntil(reading, '0.0')
  client.abort()
  if (!goesOn) {
    await vi.waitFor(async () => expect((await json(await streams(idOf(reading), '?stream=false'))).status).toBe('cancelled'))
    return
  }
  const again = await streams(idOf(reading), '?starting_after=1')
  expect(await readUntil(again, '0.0')).toContain('0.0')
  expect((await json(await streams(idOf(reading), '?stream=false'))).status).toBe('running')
})

it('does not cancel a plain request when a second reader disconnects', async () => {
  const { post, streams } = await serveEmbedded()
  const reading = await post({ prompt: HOLD, stream: true })
  const client = new AbortController()
  await readUntil(await streams(idOf(reading), '', { signal: client.signal }), '0.0')
  client.abort()
  await readUntil(reading, '0.0')
  expect((await json(await streams(idOf(reading), '?stream=false'))).status).toBe('running')
})

it('answers a retry with the request that it repeats, whole and streamed', async () => {
  const { post } = await serveEmbedded()
  const whole = [await post({ seed: 1, n: 2 }, { headers: KEY }), await post({ n: 2, seed: 1, temperature: null }, { headers: KEY })]
  expect(idOf(whole[1] as Response)).toBe(idOf(whole[0] as Response))
  const [first, second] = await Promise.all(whole.map(json))
  expect(second).toEqual(first)

  const other = { headers: { 'idempotency-key': 'another' } }
  const streamed = [await post({ stream: true }, other), await post({ stream: true }, other)]
  expect(idOf(streamed[1] as Response)).toBe(idOf(streamed[0] as Response))
  const [one, two] = await Promise.all(streamed.map(async response => await response.text()))
  expect(two).toBe(one)
})

it('attaches a retry to a running request, and separates the keys of other callers', async () => {
  const { post } = await serveEmbedded({ apiKeys: ['one', 'two'] })
  const as = (key: string) => ({ headers: { ...KEY, authorization: `Bearer ${key}` } })
  const ids = []
  for (const key of ['one', 'one', 'two']) {
    const response = await post({ prompt: HOLD, stream: true }, as(key))
    await readUntil(response, '0.0')
    ids.push(idOf(response))
  }
  expect(ids[1]).toBe(ids[0])
  expect(ids[2]).not.toBe(ids[0])
})

it('refuses a key that was used for another body', async () => {
  const { post } = await serveEmbedded()
  await post({}, { headers: KEY })
  const response = await post({ max_tokens: 3 }, { headers: KEY })
  expect(response.status).toBe(422)
  expect((await json(response)).error).toMatchObject({ type: 'invalid_request_error', code: 'idempotency_key_reused' })
})

it('ends at the deadline: a stream with an error event, a whole response with 504', async () => {
  const { post } = await serveEmbedded()
  const headers = { 'x-request-timeout-ms': '100' }
  const [streamed, whole] = await Promise.all([post({ prompt: HOLD, stream: true }, { headers }), post({ prompt: HOLD }, { headers })])
  const events = readSse(await streamed.text())
  expect(JSON.parse(events.at(-1)?.data ?? '').error).toMatchObject({ type: 'timeout_error', code: 'deadline_exceeded' })
  expect(events.at(-1)?.id).not.toBeNull()
  expect(whole.status).toBe(504)
  expect((await json(whole)).error.code).toBe('deadline_exceeded')
})

it('disconnects resumable streams when this process is about to exit, and continues plain streams', async () => {
  const { post, streams, leaving } = await serveEmbedded()
  const resumable = await post({ prompt: HOLD, stream: true }, { headers: { 'x-resumable': 'true' } })
  const plain = await post({ prompt: HOLD, stream: true })
  const whole = post({ prompt: HOLD }, { headers: KEY })
  const read = await readUntil(resumable, '0.0')
  await readUntil(plain, '0.0')
  await streams(idOf(resumable), '?stream=false')
  leaving.abort()
  await expect(readUntil(resumable, 'never')).rejects.toThrow()
  expect(read).not.toContain('[DONE]')
  expect((await whole).status).toBe(503)
  expect((await json(await streams(idOf(plain), '?stream=false'))).status).toBe('running')
  expect((await json(await streams(idOf(resumable), '?stream=false'))).status).toBe('running')
})
