import fc from 'fast-check'
import { expect, it } from 'vitest'
import { LogitEdits } from '../../../src/inference/sampling/logit-edits.ts'
import { Sampler } from '../../../src/inference/sampling/sampler.ts'
import { SamplingScratch } from '../../../src/inference/sampling/sampling-scratch.ts'
import { CompletionBody } from '../../../src/routes/completions/body.ts'
import { toSamplingParams } from '../../../src/routes/wire/fields/sampling-fields.ts'

const TINY = [Number.MIN_VALUE, 1e-300, 1e-45, 1e-40, 1e-38, 1e-9, 9.9e-6, 1e-5, 1.1e-5]
const within = (low: number, high: number) =>
  fc.oneof(fc.constantFrom(low, high, ...TINY.filter(value => value > low)), fc.double({ min: low, max: high, noNaN: true }))
const above0 = (high: number) => within(0, high).filter(value => value > 0)

/** Valid bodies, with numbers up to the limits. */
const fields = fc.record(
  {
    temperature: within(0, 2),
    top_p: fc.oneof(within(0, 1), fc.constant(1 - 2 ** -53)),
    top_k: fc.constantFrom(-1, 0, 1, 2, Number.MAX_SAFE_INTEGER),
    min_p: within(0, 1),
    typical_p: fc.oneof(above0(1), fc.constant(1 - 2 ** -53)),
    repetition_penalty: above0(2),
    presence_penalty: within(-2, 2),
    frequency_penalty: within(-2, 2),
    logit_bias: fc.dictionary(fc.constantFrom('0', '1', '2', '3', '4', '5'), within(-100, 100)),
    allowed_token_ids: fc.uniqueArray(fc.nat(5), { minLength: 1 }),
    seed: fc.constantFrom(0, -(2 ** 63), 2 ** 63, 2 ** 64, Number.MAX_SAFE_INTEGER, -1),
    min_tokens: fc.constantFrom(0, 3)
  },
  { requiredKeys: [] }
)
const finite = fc.oneof(
  fc.double({ min: -40, max: 40, noNaN: true }),
  fc.constantFrom(0, 1e-45, -1e-45, 1e-38, 3.4e38, -3.4e38, 1e30, 100, -100)
)
const logits = fc.array(finite, { minLength: 6, maxLength: 6 }).map(row => Float32Array.from(row))

const choice = { choice: 0, promptTokenIds: [0, 1, 2], endTokenIds: [5] }

it('samples an existing token from any finite logits, for every valid request', () => {
  fc.assert(
    fc.property(fields, logits, fc.array(fc.nat(5), { maxLength: 40 }), (requested, row, before) => {
      const params = toSamplingParams(CompletionBody.parse(requested), { newSeed: () => 1, badWords: [] })
      const sampler = new Sampler(params, choice, row.length, new SamplingScratch(row.length))
      for (const tokenId of before) sampler.accept(tokenId)
      const picked = sampler.pick(row, before.length)
      expect(Array.from({ length: 6 }, (_, id) => id)).toContain(picked)
      if (requested.allowed_token_ids !== undefined) expect(requested.allowed_token_ids).toContain(picked)
    }),
    { numRuns: 3000 }
  )
})

it('keeps finite logits finite, and infinite ones unchanged', () => {
  fc.assert(
    fc.property(fields, logits, fc.array(fc.nat(5), { maxLength: 40 }), (requested, row, before) => {
      const { allowed_token_ids: _, ...edits } = requested
      const params = toSamplingParams(CompletionBody.parse(edits), { newSeed: () => 1, badWords: [] })
      const editor = new LogitEdits(params, { ...choice, endTokenIds: [] }, row.length)
      for (const tokenId of before) editor.count(tokenId)
      expect(editor.apply(row, before.length, new Float32Array(6)).every(Number.isFinite)).toBe(true)
      for (const sign of [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]) {
        const edited = editor.apply(
          Float32Array.from({ length: 6 }, () => sign),
          before.length,
          new Float32Array(6)
        )
        expect([...edited]).toEqual(Array(6).fill(sign))
      }
    })
  )
})
