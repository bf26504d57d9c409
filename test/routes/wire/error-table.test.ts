import { expect, it } from 'vitest'
import { ERROR_CODES } from '../../../src/inference/contract/errors.ts'
import { toErrorBody } from '../../../src/routes/wire/errors/error-body.ts'
import { ERROR_TABLE } from '../../../src/routes/wire/errors/error-table.ts'

it.each(ERROR_CODES)('writes %s with all four keys of the envelope', code => {
  const { error } = toErrorBody({ code, message: 'Why.', param: null })
  expect(Object.keys(error)).toEqual(['message', 'type', 'param', 'code'])
})

it('sends nobody back with a request that was wrong', () => {
  for (const { http, retry } of Object.values(ERROR_TABLE)) expect(retry && http < 500).toBe(false)
})

it('tells a client when to come back wherever the server is short of room', () => {
  for (const { http, retryAfterSeconds } of Object.values(ERROR_TABLE)) expect(retryAfterSeconds !== null).toBe(http === 503)
})
