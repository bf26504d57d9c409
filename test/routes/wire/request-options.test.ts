import { fastify } from 'fastify'
import { expect, it } from 'vitest'
import { completionApi } from '../../../src/routes/completions/api.ts'
import { generationRoute } from '../../../src/routes/wire/request/generation-route.ts'
import { answerErrors } from '../../../src/server/plugins/error-handler.ts'
import { emitting, literalQueue, routeOptions } from '../literal-parts.ts'

async function post(headers: Record<string, string>, fields: object = {}, strictParams = false) {
  const queue = literalQueue(emitting('a'))
  const app = fastify()
  answerErrors(app)
  await app.register(generationRoute(completionApi), routeOptions(queue, { strictParams }))
  const payload = { model: 'tiny', prompt: 'hi', ...fields }
  const response = await app.inject({ method: 'POST', url: '/v1/completions', headers, payload })
  return { response, delivery: queue.submitted[0]?.delivery }
}

it.each([
  { headers: {}, fields: {}, onDisconnect: 'cancel' },
  { headers: { 'x-resumable': 'false' }, fields: { background: false }, onDisconnect: 'cancel' },
  { headers: { 'x-resumable': 'true' }, fields: {}, onDisconnect: 'grace' },
  { headers: { 'idempotency-key': 'k' }, fields: {}, onDisconnect: 'grace' },
  { headers: { 'idempotency-key': 'k' }, fields: { background: true }, onDisconnect: 'run' }
])('sets onDisconnect of a request with $headers and $fields to $onDisconnect', async ({ headers, fields, onDisconnect }) => {
  const { delivery } = await post(headers, fields)
  expect(delivery).toMatchObject({ onDisconnect, owner: 'caller', deadlineAtMs: null })
})

it.each(['1', '86400000'])('measures a timeout of %s ms from the admission', async timeout => {
  expect((await post({ 'x-request-timeout-ms': timeout })).delivery?.deadlineAtMs).toBe(1_700_000_000_500 + Number(timeout))
})

it.each([
  { headers: { 'x-request-timeout-ms': '0' }, states: ["'x-request-timeout-ms'", 'from 1 to 86400000', '"0"'] },
  { headers: { 'x-request-timeout-ms': '86400001' }, states: ['86400000', '"86400001"'] },
  { headers: { 'x-request-timeout-ms': '1e3' }, states: ['an integer', '"1e3"'] },
  { headers: { 'x-resumable': 'yes' }, states: ["'x-resumable'", 'true or false', '"yes"'] },
  { headers: { 'idempotency-key': '' }, states: ["'Idempotency-Key'", '1 to 255', 'length 0'] },
  { headers: { 'idempotency-key': 'x'.repeat(256) }, states: ['255', 'length 256'] },
  { headers: { 'idempotency-key': 'schlüssel' }, states: ['printable ASCII'] },
  { headers: { 'last-event-id': '3' }, states: ["'Last-Event-ID'", 'GET /v1/streams/{id}'] }
])('refuses $headers, naming header, bound and value', async ({ headers, states }) => {
  const { response, delivery } = await post(headers)
  expect(response.statusCode).toBe(400)
  for (const part of states) expect(response.json().error.message).toContain(part)
  expect(response.json().error.param).toMatch(/^[A-Za-z-]+$/)
  expect(delivery).toBeUndefined()
})

it('digests the meaning of a body: every value, but neither the order of fields nor nulls', async () => {
  const digest = async (fields: object) => (await post({ 'idempotency-key': 'k' }, fields)).delivery?.idempotency?.digest
  const one = await digest({ seed: 1, logit_bias: { 1: 2, 3: 4 }, temperature: null, user: 'u' })
  expect(await digest({ user: 'u', logit_bias: { 1: 2, 3: 4 }, n: null, seed: 1 })).toBe(one)
  for (const other of [{ seed: 2 }, { user: 'v' }, { stream: true }, { prompt: 'ho' }, { unknown: 1 }]) {
    expect(await digest({ seed: 1, logit_bias: { 1: 2, 3: 4 }, user: 'u', ...other })).not.toBe(one)
  }
})

it('accepts the field background, also in strict mode', async () => {
  const { response } = await post({}, { background: true, stream: true }, true)
  expect(response.statusCode).toBe(200)
  expect(response.headers['x-ignored-params']).toBeUndefined()
})
