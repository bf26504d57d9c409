import { fastify } from 'fastify'
import { expect, it } from 'vitest'
import { answerErrors } from '../../../src/server/plugins/error-handler.ts'
import { checkHost } from '../../../src/server/plugins/host-check.ts'

async function status(bindHost: string, host: string): Promise<number> {
  const app = fastify()
  answerErrors(app)
  checkHost(app, bindHost)
  app.get('/', async () => 'in')
  return (await app.inject({ url: '/', headers: { host } })).statusCode
}

it.each(['localhost', 'LOCALHOST:8000', 'localhost.:80', 'a.localhost', '127.0.0.1:8000', '127.9.9.9', '[::1]', '[::1]:8000'])(
  'lets %s in on a loopback address',
  async host => {
    expect(await status('127.0.0.1', host)).toBe(200)
    expect(await status('::1', host)).toBe(200)
    expect(await status('localhost', host)).toBe(200)
  }
)

it.each([
  'evil.example',
  'evil.example:8000',
  '127.0.0.1.evil.example',
  'localhost.evil.example',
  '10.0.0.1',
  '[::2]',
  '[::1',
  'localhost@evil'
])('keeps %s out on a loopback address', async host => {
  expect(await status('127.0.0.1', host)).toBe(400)
})

it('accepts every name on other addresses', async () => {
  expect(await status('0.0.0.0', 'api.example')).toBe(200)
})
