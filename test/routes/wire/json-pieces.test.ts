import fc from 'fast-check'
import { expect, it } from 'vitest'
import { jsonPieces, LazyList } from '../../../src/routes/wire/json/json-pieces.ts'

/** Data with and without lazy lists, and the same data as plain JSON. */
const answer = fc.letrec(tie => ({
  leaf: fc.oneof(fc.string(), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.boolean(), fc.constant(null)).map(same),
  small: fc.jsonValue().map(same),
  lazy: fc.array(fc.jsonValue(), { maxLength: 5 }).map(items => ({ lazy: new LazyList(() => items), plain: items })),
  list: fc.array(tie('any'), { maxLength: 4 }).map(items => ({
    lazy: items.map(item => (item as Pair).lazy),
    plain: items.map(item => (item as Pair).plain)
  })),
  record: fc
    .dictionary(fc.string({ maxLength: 4 }), fc.option(tie('any'), { nil: undefined }), { maxKeys: 4 })
    .map(entries => ({ lazy: mapped(entries, 'lazy'), plain: mapped(entries, 'plain') })),
  any: fc.oneof({ depthSize: 'small' }, tie('leaf'), tie('small'), tie('lazy'), tie('list'), tie('record'))
})).any

interface Pair {
  readonly lazy: unknown
  readonly plain: unknown
}

function same(value: unknown): Pair {
  return { lazy: value, plain: value }
}

function mapped(entries: object, side: keyof Pair): object {
  return Object.fromEntries(Object.entries(entries).map(([key, pair]) => [key, pair === undefined ? undefined : (pair as Pair)[side]]))
}

it('produces the same text as JSON.stringify', () => {
  fc.assert(
    fc.property(answer, pair => {
      const { lazy, plain } = pair as Pair
      expect([...jsonPieces(lazy)].join('')).toBe(JSON.stringify(plain))
      expect(JSON.stringify(lazy)).toBe(JSON.stringify(plain))
    })
  )
})

it('creates at most one piece of a list at a time, however long the list is', () => {
  let made = 0
  const endless = new LazyList(function* () {
    for (;;) {
      made++
      yield { token: 'x'.repeat(100) }
    }
  })
  const pieces = jsonPieces({ choices: [{ logprobs: { content: endless } }] })
  let chars = 0
  for (let count = 1; count <= 3; count++) {
    const { value = '' } = pieces.next()
    chars += (value ?? '').length
    expect((value ?? '').length).toBeLessThan(33_000)
  }
  expect(made).toBeLessThan(chars / 100)
})
