import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ServiceError } from '../../../src/inference/contract/errors.ts'
import type { SamplingParams } from '../../../src/inference/contract/sampling.ts'
import { uniforms } from '../../../src/inference/sampling/noise.ts'
import { Sampler } from '../../../src/inference/sampling/sampler.ts'
import { SamplingScratch } from '../../../src/inference/sampling/sampling-scratch.ts'
import { type FilterParams, NEUTRAL, specifiedCandidates, specifiedDraw, specifiedRejection, weigh } from './sampling-specification.ts'

/** Within this distance of the noise or a bound, rounding may change the result. */
const NEAR = 1e-12

const logit = fc.double({ min: -30, max: 30, noNaN: true }).map(Math.fround)
const few = fc.constantFrom(-2, -1, 0, 0.5, 1, 3)
const logitRows = fc.array(fc.oneof(logit, few, fc.constant(Number.NEGATIVE_INFINITY)), { minLength: 1, maxLength: 40 })
/** At least one logit is finite. */
const rows = fc.tuple(logitRows, logit, fc.nat()).map(([row, finite, at]) => row.with(at % row.length, finite))
const filters = fc.record({
  temperature: fc.double({ min: 0.05, max: 2, noNaN: true }),
  topP: fc.oneof(fc.constant(1), fc.double({ min: 0.01, max: 1, noNaN: true })),
  topK: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 45 })),
  typicalP: fc.oneof(fc.constant(1), fc.double({ min: 0.01, max: 1, noNaN: true })),
  minP: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 1, noNaN: true }))
})
const positions = fc.nat(1000)
const seeds = fc.maxSafeInteger()

function sampler(
  params: Partial<SamplingParams>,
  vocabularySize: number,
  choice = 0,
  scratch = new SamplingScratch(vocabularySize)
): Sampler {
  const sampled = { choice, promptTokenIds: [], endTokenIds: [] }
  return new Sampler({ ...NEUTRAL, ...params }, sampled, vocabularySize, scratch)
}

/** The token that the specification draws. */
function specified(row: readonly number[], params: FilterParams, seed: number, position: number) {
  const candidates = specifiedCandidates(row, params)
  const isCut = (params.topK > 0 && params.topK < row.length) || params.topP < 1 || (params.typicalP ?? 1) < 1
  if (isCut) return specifiedDraw(candidates, uniforms(seed, 0, position)[0])
  return specifiedRejection(candidates, params.temperature, attempt => uniforms(seed, 0, position, attempt))
}

function pick(row: readonly number[], params: Partial<SamplingParams>, position = 0): number {
  return sampler(params, row.length).pick(Float32Array.from(row), position)
}

function argmax(row: readonly number[]): number {
  return row.indexOf(Math.max(...row))
}

/** Tokens drawn at many positions. */
function support(row: readonly number[], params: Partial<SamplingParams>, draws = 500): Set<number> {
  const one = sampler(params, row.length)
  const logits = Float32Array.from(row)
  return new Set(Array.from({ length: draws }, (_, position) => one.pick(logits, position)))
}

describe('greedy', () => {
  it('takes the highest logit, among equals the lowest id, for every seed', () => {
    fc.assert(
      fc.property(rows, seeds, (row, seed) => {
        expect(pick(row, { temperature: 0, seed })).toBe(argmax(row))
      })
    )
  })

  it('equals top_k = 1 at any temperature', () => {
    fc.assert(
      fc.property(rows, filters, seeds, positions, (row, params, seed, position) => {
        expect(pick(row, { ...params, topK: 1, seed }, position)).toBe(argmax(row))
      })
    )
  })

  it('equals a tiny temperature, a tiny top_p and min_p = 1, unless logits are equal', () => {
    for (const params of [{ temperature: 1e-300 }, { temperature: 1e-4 }, { topP: 1e-9 }, { minP: 1 }]) {
      expect(support([1, 3, 2, 2.99], params)).toEqual(new Set([1]))
    }
  })

  it('applies penalties and bias', () => {
    expect(pick([1, 2, 3], { temperature: 0, logitBias: [[0, 2.5]] })).toBe(0)
    const penalized = sampler({ temperature: 0, presencePenalty: 1.5 }, 3)
    penalized.accept(2)
    expect(penalized.pick(Float32Array.of(1, 2, 3), 1)).toBe(1)
  })
})

describe('the draw', () => {
  it('is the specified one: no optimization changes it', () => {
    fc.assert(
      fc.property(rows, filters, seeds, positions, (row, params, seed, position) => {
        const { id, margin } = specified(row, params, seed, position)
        fc.pre(margin > NEAR && !isNearTie(row, params) && !isTypicalTie(row, params))
        expect(pick(row, { ...params, seed }, position)).toBe(id)
      }),
      { numRuns: 2000 }
    )
  })

  it('is the specified one for vocabularies of many blocks', () => {
    const row = Array.from({ length: 5001 }, (_, id) => Math.fround(12 * uniforms(77, 0, id)[0] + (id % 501 === 0 ? 6 : 0)))
    for (const params of [
      {},
      { topP: 0.9 },
      { topK: 40 },
      { topK: 700, topP: 0.6 },
      { minP: 0.01 },
      { temperature: 0.3, topP: 0.99 },
      { typicalP: 0.8 }
    ]) {
      const one = sampler({ ...params, seed: 9 }, row.length)
      const logits = Float32Array.from(row)
      for (let position = 0; position < 50; position++) {
        expect(one.pick(logits, position)).toBe(specified(row, { ...NEUTRAL, ...params }, 9, position).id)
      }
    }
  })

  it('depends only on seed, choice and position, not on earlier draws or other users of the scratch', () => {
    const row = Array.from({ length: 300 }, (_, id) => Math.fround(4 * uniforms(3, 0, id)[0]))
    const logits = Float32Array.from(row)
    const scratch = new SamplingScratch(row.length)
    const others = [{ topP: 0.5 }, { topK: 3 }, { logitBias: [[7, 5]] as const }].map(params => sampler(params, row.length, 1, scratch))
    const shared = sampler({ seed: 5, topP: 0.9 }, row.length, 2, scratch)
    const forwards = Array.from({ length: 60 }, (_, position) => {
      for (const other of others) other.pick(logits, position)
      return shared.pick(logits, position)
    })
    const backwards = Array.from({ length: 60 }, (_, at) => sampler({ seed: 5, topP: 0.9 }, row.length, 2).pick(logits, 59 - at)).reverse()
    expect(backwards).toEqual(forwards)
    const elsewhere = (seed: number, choice: number) =>
      forwards.map((_, position) => sampler({ seed, topP: 0.9 }, row.length, choice).pick(logits, position))
    expect(elsewhere(6, 2)).not.toEqual(forwards)
    expect(elsewhere(5, 3)).not.toEqual(forwards)
  })

  /**
   * Chi-square with 7 degrees of freedom exceeds 40.6 with probability below 1e-6. The seed is fixed, so the test is
   * deterministic.
   */
  it.each([{}, { temperature: 0.5 }, { temperature: 2 }, { minP: 0.1 }, { topP: 0.999999 }, { topK: 8 }, { topK: 9, topP: 0.999999 }])(
    'is distributed as the softmax: %o',
    params => {
      const row = [0, 1, -1, 0.5, 2, -2, 1.5, 0]
      const candidates = specifiedCandidates(row, { ...NEUTRAL, ...params })
      const counts = new Map<number, number>()
      const draws = 20_000
      const one = sampler({ ...params, seed: 4 }, row.length)
      const logits = Float32Array.from(row)
      for (let position = 0; position < draws; position++) {
        const id = one.pick(logits, position)
        counts.set(id, (counts.get(id) ?? 0) + 1)
      }
      const total = weigh(candidates)
      const chiSquare = candidates.reduce((sum, { id, weight }) => {
        const expected = (draws * weight) / total
        return sum + ((counts.get(id) ?? 0) - expected) ** 2 / expected
      }, 0)
      expect(chiSquare).toBeLessThan(40.6)
    }
  )

  it('does not change when all logits are shifted', () => {
    fc.assert(
      fc.property(fc.array(few, { minLength: 1, maxLength: 20 }), filters, seeds, (row, params, seed) => {
        const moved = row.map(value => value + 64)
        expect(pick(moved, { ...params, seed })).toBe(pick(row, { ...params, seed }))
      })
    )
  })

  it('is equivariant under permutations of the vocabulary', () => {
    const row = [3, 1, 2, 0, -1, 2.5]
    const turned = row.toReversed()
    const last = row.length - 1
    for (const params of [{ topK: 3 }, { topP: 0.8 }, { minP: 0.2 }, { topK: 4, topP: 0.7 }]) {
      expect(new Set([...support(turned, params)].map(id => last - id))).toEqual(support(row, params))
    }
  })
})

describe('filters', () => {
  it('keep a smallest set: without its least likely token it does not reach top_p', () => {
    fc.assert(
      fc.property(rows, filters, seeds, positions, (row, params, seed, position) => {
        const id = pick(row, { ...params, topK: 0, minP: 0, seed }, position)
        const whole = specifiedCandidates(row, { ...params, topK: 0, minP: 0, topP: 1 })
        const picked = whole.findIndex(token => token.id === id)
        expect(picked).not.toBe(-1)
        expect(weigh(whole.slice(0, picked))).toBeLessThan((params.topP + NEAR) * weigh(whole))
      })
    )
  })

  it('allow every kept token to be drawn, and no other', () => {
    const row = [2, 1, 1, 0, 2, -1, 1]
    for (const params of [{ topK: 3 }, { topK: 4 }, { topP: 0.5 }, { topP: 0.75 }, { minP: 0.3 }, { minP: 0.05, topK: 6, topP: 0.9 }]) {
      const kept = new Set(specifiedCandidates(row, { ...NEUTRAL, ...params }).map(({ id }) => id))
      expect(support(row, params)).toEqual(kept)
    }
  })

  it('keep exactly k tokens when all are equal: the lowest ids', () => {
    expect(support(new Array(50).fill(1), { topK: 3 })).toEqual(new Set([0, 1, 2]))
    expect(support(new Array(50).fill(1), { topP: 0.1 })).toEqual(new Set([0, 1, 2, 3, 4]))
  })

  it('distinguish logits that are in the same bucket down to the finest level', () => {
    const row = [1e-30, 2e-30, 3e-30, 1000, 4e-30, 0, 1.5e-30]
    expect(support(row, { topK: 3, logitBias: [[3, -1000]] })).toEqual(new Set([1, 2, 4]))
  })

  it('renormalise: top_p is a share of the remainder of top_k', () => {
    expect(support([1, 1, 1, 1], { topK: 2, topP: 0.5 })).toEqual(new Set([0]))
  })
})

describe('penalties and bias', () => {
  it('force and ban', () => {
    const row = [5, -20, 9, 0]
    expect(support(row, { logitBias: [[1, 100]] })).toEqual(new Set([1]))
    expect(support(row, { logitBias: [[2, -100]], temperature: 2 }).has(2)).toBe(false)
  })

  it('have the effect of the same change of the logits', () => {
    fc.assert(
      fc.property(fc.array(few, { minLength: 4, maxLength: 20 }), filters, seeds, (row: readonly number[], params, seed) => {
        const one = sampler({ ...params, seed, presencePenalty: 0.5, frequencyPenalty: 0.25, logitBias: [[1, 2]] }, row.length)
        for (const tokenId of [0, 2, 0, 0]) one.accept(tokenId)
        const changed = row.with(0, (row[0] ?? 0) - 0.5 - 0.75).with(2, (row[2] ?? 0) - 0.5 - 0.25)
        const biased = changed.with(1, (row[1] ?? 0) + 2)
        expect(one.pick(Float32Array.from(row), 4)).toBe(pick(biased, { ...params, seed }, 4))
      })
    )
  })

  it('do not modify the logits', () => {
    const logits = Float32Array.of(1, 2, 3)
    const one = sampler({ presencePenalty: 1, logitBias: [[0, 1]], topK: 2, topP: 0.5 }, 3)
    one.accept(1)
    one.pick(logits, 1)
    expect([...logits]).toEqual([1, 2, 3])
  })
})

describe('broken logits', () => {
  const { NEGATIVE_INFINITY, NaN: NOT_A_NUMBER } = Number

  it('never give an impossible token when a finite one exists', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(NEGATIVE_INFINITY, NOT_A_NUMBER, -200, 3), { minLength: 1, maxLength: 12 }),
        filters,
        seeds,
        (row, params, seed) => {
          fc.pre(row.some(Number.isFinite))
          expect(Number.isFinite(row[pick(row, { ...params, seed })])).toBe(true)
          expect(Number.isFinite(row[pick(row, { ...params, temperature: 0 })])).toBe(true)
        }
      )
    )
  })

  it.each([[[NEGATIVE_INFINITY, NOT_A_NUMBER]], [[NOT_A_NUMBER]], [[0, Number.POSITIVE_INFINITY]]])(
    'fail the request when no logit is finite: %o',
    row => {
      expect(() => pick(row, {})).toThrow(ServiceError)
      expect(() => pick(row, { temperature: 0 })).toThrow(ServiceError)
    }
  )
})

/** Whether a filter's bound is so near to a token's weight that rounding decides. */
function isNearTie(row: readonly number[], params: FilterParams): boolean {
  const sizes = [1 - NEAR, 1, 1 + NEAR].map(
    factor =>
      specifiedCandidates(row, {
        ...params,
        topP: Math.min(1, params.topP * factor),
        typicalP: Math.min(1, (params.typicalP ?? 1) * factor),
        minP: params.minP * factor
      }).length
  )
  return new Set(sizes).size > 1
}

/** Whether two tokens with different logits are equally typical within rounding. */
function isTypicalTie(row: readonly number[], params: FilterParams): boolean {
  if ((params.typicalP ?? 1) === 1) return false
  const kept = specifiedCandidates(row, { ...params, typicalP: 1, topP: 1 })
  const total = weigh(kept)
  const surprisals = kept.map(({ weight }) => -Math.log(weight / total))
  const expected = kept.reduce((sum, { weight }, at) => sum + (weight / total) * (surprisals[at] ?? 0), 0)
  const distances = kept
    .map(({ logit }, at) => ({ logit, distance: Math.abs((surprisals[at] ?? 0) - expected) }))
    .sort((a, b) => a.distance - b.distance)
  return distances.some(({ logit, distance }, at) => {
    const next = distances[at + 1]
    return next !== undefined && next.logit !== logit && next.distance - distance < 1e-9
  })
}
