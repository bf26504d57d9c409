import { expect, it } from 'vitest'
import { ERROR_CODES } from '../../src/inference/contract/errors.ts'
import { LIMITS } from '../../src/inference/contract/limits.ts'
import { ChatBody } from '../../src/routes/chat/body.ts'
import { CompletionBody } from '../../src/routes/completions/body.ts'
import { DetokenizeBody, TokenizeBody } from '../../src/routes/tokenize/body.ts'
import { ERROR_TABLE } from '../../src/routes/wire/errors/error-table.ts'
import { testApp } from '../server/app-parts.ts'
import { codesIn, rowsOf } from './markdown-tables.ts'

const PAGE = 'docs/api.md'

it.each([
  ['C', CompletionBody.shape],
  ['H', ChatBody.shape]
])('names each parameter of %s once, and no other', (where, shape) => {
  const named = rowsOf(PAGE, 'parameter').filter(([, scope]) => scope?.split(' ').includes(where))
  expect(named.flatMap(([parameter]) => codesIn(parameter)).toSorted()).toEqual(Object.keys(shape).toSorted())
})

it.each([
  ['parameter of /tokenize', TokenizeBody.shape],
  ['parameter of /detokenize', DetokenizeBody.shape]
])('names each %s, and no other', (header, shape) => {
  expect(rowsOf(PAGE, header).flatMap(([parameter]) => codesIn(parameter))).toEqual(Object.keys(shape))
})

it('lists each parameter of completions beside those of other servers, and none that is not supported', () => {
  const rows = rowsOf(PAGE, 'parameter').filter(row => row.length === 5)
  const claimed = rows.filter(row => row[4] !== 'no').flatMap(([parameter]) => codesIn(parameter))
  const lacking = rows.filter(row => row[4] === 'no').flatMap(([parameter]) => codesIn(parameter))
  expect(Object.keys(CompletionBody.shape).filter(field => field !== 'stream' && !claimed.includes(field))).toEqual([])
  expect(lacking.filter(field => Object.hasOwn(CompletionBody.shape, field))).toEqual([])
})

it('describes each error with its status and code', () => {
  const received = rowsOf(PAGE, 'what happened').map(([what, status, type, code, retry]) => [
    codesIn(what)[0],
    { http: Number(status), openaiType: codesIn(type)[0], openaiCode: codesIn(code)[0] ?? null, ...retryOf(retry) }
  ])
  expect(received.length).toBe(ERROR_CODES.length)
  expect(Object.fromEntries(received)).toEqual(ERROR_TABLE)
})

it('lists each endpoint that is declared, and no other', async () => {
  const declared = new Set<string>()
  await using app = testApp()
  app.addHook('onRoute', ({ method, url }) => {
    for (const one of [method].flat()) if (one !== 'HEAD') declared.add(`${one} ${url.replace(/:(\w+)|\*/, '{id}')}`)
  })
  await app.ready()
  const received = rowsOf(PAGE, 'endpoint').flatMap(([endpoint]) => codesIn(endpoint))
  expect(received.toSorted()).toEqual([...declared].toSorted())
})

it('states every limit', () => {
  const received = rowsOf(PAGE, 'limit').map(([, value]) => Number(/^[\d,]+/.exec(value ?? '')?.[0].replaceAll(',', '')))
  expect(received.toSorted(byNumber)).toEqual(Object.values(LIMITS).toSorted(byNumber))
})

function retryOf(cell: string | undefined) {
  const seconds = /after (\d+) s/.exec(cell ?? '')?.[1]
  return { retry: cell?.startsWith('yes') === true, retryAfterSeconds: seconds === undefined ? null : Number(seconds) }
}

function byNumber(left: number, right: number): number {
  return left - right
}
