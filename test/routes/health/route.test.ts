import { fastify } from 'fastify'
import { expect, it } from 'vitest'
import { healthRoute } from '../../../src/routes/health/route.ts'
import { GOOD } from '../literal-parts.ts'

it.each([
  { url: '/health', status: GOOD, code: 200, word: 'ok' },
  { url: '/health', status: { ...GOOD, depth: () => new Promise<never>(() => {}) }, code: 200, word: 'ok' },
  { url: '/health', status: { ...GOOD, isHealthy: () => false }, code: 503, word: 'unhealthy' },
  { url: '/ready', status: GOOD, code: 200, word: 'ready' },
  { url: '/ready', status: { ...GOOD, depth: async () => null }, code: 503, word: 'not ready' },
  { url: '/ready', status: { ...GOOD, isReady: () => false }, code: 503, word: 'not ready' }
])('answers $url with $code when the server is $word', async ({ url, status, code, word }) => {
  const app = fastify()
  await app.register(healthRoute, { status })
  const response = await app.inject({ url })
  expect(response.statusCode).toBe(code)
  expect(response.json()).toMatchObject({ workers: 1, status: word })
  expect(response.headers['cache-control']).toBe('no-store')
})

it.each([
  [GOOD, { waiting: 2, running: 3, queueReachable: true }],
  [
    { ...GOOD, depth: async () => null },
    { waiting: null, running: null, queueReachable: false }
  ]
])('describes the queue in /ready', async (status, queue) => {
  const app = fastify()
  await app.register(healthRoute, { status })
  expect((await app.inject({ url: '/ready' })).json()).toMatchObject(queue)
})
