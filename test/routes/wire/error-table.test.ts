import { expect, it } from 'vitest'
import { ERROR_CODES } from '../../../src/inference/contract/errors.ts'
import { toErrorBody } from '../../../src/routes/wire/errors/error-body.ts'
import { ERROR_TABLE } from '../../../src/routes/wire/errors/error-table.ts'

it.each(ERROR_CODES)('includes all four keys in the error object of %s', code => {
  const { error } = toErrorBody({ code, message: 'Why.', param: null })
  expect(Object.keys(error)).toEqual(['message', 'type', 'param', 'code'])
})

it('marks no invalid request as retryable', () => {
  for (const { http, retry } of Object.values(ERROR_TABLE)) expect(retry && http < 500).toBe(false)
})

it('sets Retry-After whenever the server is overloaded', () => {
  for (const { http, retryAfterSeconds } of Object.values(ERROR_TABLE)) expect(retryAfterSeconds !== null).toBe(http === 503)
})
