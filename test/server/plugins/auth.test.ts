import { type FastifyRequest, fastify } from 'fastify'
import { expect, it } from 'vitest'
import { requireApiKey } from '../../../src/server/plugins/auth.ts'
import { answerErrors } from '../../../src/server/plugins/error-handler.ts'

/** Answers with the caller's identifier. */
function guarded(keys: readonly string[]) {
  const app = fastify()
  answerErrors(app)
  const auth = requireApiKey(app, keys)
  app.register(async inner => {
    inner.get('/', async (request: FastifyRequest) => auth.callerOf(request))
  })
  return async (authorization?: string) => await app.inject({ url: '/', headers: authorization === undefined ? {} : { authorization } })
}

it.each([undefined, '', 'Bearer', 'Bearer ', 'Basic sk-1', 'sk-1', 'Bearer sk-3', 'Bearer sk-1 sk-2', 'Bearer sk-11'])(
  'turns %j away',
  async authorization => {
    const response = await guarded(['sk-1', 'sk-2'])(authorization)
    expect(response.statusCode).toBe(401)
    expect(response.headers['www-authenticate']).toBe('Bearer')
    expect(response.json().error).toEqual({
      message: expect.any(String),
      type: 'invalid_request_error',
      param: null,
      code: 'invalid_api_key'
    })
    expect(response.body).not.toContain('sk-')
  }
)

it('distinguishes callers by identifiers that do not contain their keys', async () => {
  const ask = guarded(['sk-1', 'sk-2'])
  const names = [(await ask('Bearer sk-1')).body, (await ask('bearer  sk-2')).body, (await ask('Bearer sk-1')).body]
  expect(names[0]).toMatch(/^[0-9a-f]{32}$/)
  expect(names[1]).not.toBe(names[0])
  expect(names[2]).toBe(names[0])
})

it('requires no authentication without keys', async () => {
  const response = await guarded([])()
  expect(response.statusCode).toBe(200)
  expect(response.body).toBe('')
})
