import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { SamplingParams } from '../../../src/inference/contract/sampling.ts'
import { Sampler } from '../../../src/inference/sampling/sampler.ts'
import { SamplingScratch } from '../../../src/inference/sampling/sampling-scratch.ts'
import { NEUTRAL } from './sampling-specification.ts'

const TOKENS = 12
const token = fc.nat(TOKENS - 1)
const logits = fc
  .array(fc.double({ min: -8, max: 8, noNaN: true }), { minLength: TOKENS, maxLength: TOKENS })
  .map(row => Float32Array.from(row))
const seeds = fc.maxSafeInteger()
const temperatures = fc.constantFrom(0, 0.5, 1, 2)
const END = 2

/** A sampler for a choice that follows `prompt` and has generated `emitted`. */
function sampler(params: Partial<SamplingParams>, emitted: readonly number[] = [], prompt: readonly number[] = []): Sampler {
  const choice = { choice: 0, promptTokenIds: prompt, endTokenIds: [END] }
  const one = new Sampler({ ...NEUTRAL, ...params }, choice, TOKENS, new SamplingScratch(TOKENS))
  for (const tokenId of emitted) one.accept(tokenId)
  return one
}

describe('allowed_token_ids', () => {
  it('of one token always gives this token', () => {
    fc.assert(
      fc.property(logits, token, seeds, temperatures, (row, only, seed, temperature) => {
        expect(sampler({ allowedTokenIds: [only], seed, temperature }).pick(row, 0)).toBe(only)
      })
    )
  })

  it('of all tokens has no effect', () => {
    fc.assert(
      fc.property(logits, seeds, temperatures, (row, seed, temperature) => {
        const allowedTokenIds = Array.from({ length: TOKENS }, (_, id) => id)
        expect(sampler({ allowedTokenIds, seed, temperature }).pick(row, 3)).toBe(sampler({ seed, temperature }).pick(row, 3))
      })
    )
  })

  it('restricts the draw, whatever bias and filters are set', () => {
    fc.assert(
      fc.property(logits, fc.uniqueArray(token, { minLength: 1 }), seeds, fc.constantFrom(0.3, 1), (row, allowedTokenIds, seed, topP) => {
        const one = sampler({ allowedTokenIds, seed, topP, logitBias: [[0, 100]] })
        for (let position = 0; position < 20; position++) expect(allowedTokenIds).toContain(one.pick(row, position))
      })
    )
  })
})

describe('repetition_penalty', () => {
  it('of 1 has no effect', () => {
    fc.assert(
      fc.property(logits, fc.array(token), seeds, (row, emitted, seed) => {
        expect(sampler({ repetitionPenalty: 1, seed }, emitted, emitted).pick(row, 0)).toBe(sampler({ seed }).pick(row, 0))
      })
    )
  })

  it('divides logits above 0 and multiplies those below, once per token of the prompt or generated, as in vLLM', () => {
    fc.assert(
      fc.property(logits, fc.array(token), fc.array(token), seeds, fc.constantFrom(0.5, 1.5, 2), (row, prompt, emitted, seed, penalty) => {
        const seen = new Set([...prompt, ...emitted])
        const changed = row.map((logit, id) => {
          if (!seen.has(id)) return logit
          return logit > 0 ? logit / penalty : logit * penalty
        })
        expect(sampler({ repetitionPenalty: penalty, seed }, emitted, prompt).pick(row, 5)).toBe(sampler({ seed }).pick(changed, 5))
      })
    )
  })

  it('applies to biased logits, and before presence and frequency', () => {
    const row = new Float32Array(TOKENS).fill(-50)
    row[0] = 4
    row[1] = 3
    const one = sampler({ temperature: 0, logitBias: [[0, 4]], repetitionPenalty: 2, presencePenalty: 0.5 }, [0])
    // (4 + 4) / 2 - 0.5 = 3.5 is above 3, but so are 4 / 2 + 4 - 0.5 and (8 - 0.5) / 2. The second row distinguishes
    // them.
    expect(one.pick(row, 1)).toBe(0)
    row[1] = 3.6
    expect(one.pick(row, 1)).toBe(1)
  })
})

describe('min_tokens', () => {
  it('bans end tokens up to the minimum, and not after it', () => {
    const row = new Float32Array(TOKENS)
    row[END] = 20
    const one = sampler({ temperature: 0, minNewTokens: 3 })
    expect([0, 1, 2, 3].map(position => one.pick(row, position) === END)).toEqual([false, false, false, true])
  })

  it('is lifted when only the end token is allowed', () => {
    const one = sampler({ minNewTokens: 3, allowedTokenIds: [END] })
    expect(one.pick(new Float32Array(TOKENS), 0)).toBe(END)
  })
})

describe('bad_words', () => {
  const row = Float32Array.from({ length: TOKENS }, (_, id) => TOKENS - id)

  it('of one token are never sampled', () => {
    fc.assert(
      fc.property(logits, token, seeds, temperatures, (scores, bad, seed, temperature) => {
        const one = sampler({ badWords: [[bad]], seed, temperature })
        for (let position = 0; position < 10; position++) expect(one.pick(scores, position)).not.toBe(bad)
      })
    )
  })

  it('of several tokens are not completed, and only their last token is banned', () => {
    const bad = { temperature: 0, badWords: [[4, 5, 0]] }
    expect(sampler(bad, [4]).pick(row, 1)).toBe(0)
    expect(sampler(bad, [4, 5]).pick(row, 2)).toBe(1)
    expect(sampler(bad, [4, 5, 6]).pick(row, 3)).toBe(0)
    expect(sampler(bad, [1, 4, 5]).pick(row, 3)).toBe(1)
  })

  it('that begin in the prompt may be completed', () => {
    expect(sampler({ temperature: 0, badWords: [[4, 0]] }, [], [4]).pick(row, 0)).toBe(0)
  })
})

it('is a function of the request and the generated tokens: a sampler that replays them draws the same', () => {
  const params = fc.record({
    temperature: temperatures,
    topP: fc.constantFrom(1, 0.8),
    typicalP: fc.constantFrom(1, 0.8),
    repetitionPenalty: fc.constantFrom(1, 1.3),
    presencePenalty: fc.constantFrom(0, 0.5),
    badWords: fc.constantFrom([], [[3, 4], [5]]),
    minNewTokens: fc.nat(4),
    seed: seeds
  })
  fc.assert(
    fc.property(params, fc.array(logits, { minLength: 1, maxLength: 8 }), (given, rows) => {
      const running = sampler(given, [], [7])
      const emitted: number[] = []
      for (const [position, row] of rows.entries()) {
        const drawn = running.pick(row, position)
        expect(sampler(given, emitted, [7]).pick(row, position)).toBe(drawn)
        running.accept(drawn)
        emitted.push(drawn)
      }
    })
  )
})
