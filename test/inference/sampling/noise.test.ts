import fc from 'fast-check'
import { expect, it } from 'vitest'
import { philox4x32, uniforms } from '../../../src/inference/sampling/noise.ts'

/** `philox4x32 10` of kat_vectors in Random123 1.14 (D. E. Shaw Research): counter, key, answer. */
const KNOWN_ANSWERS = [
  '00000000 00000000 00000000 00000000 00000000 00000000 6627e8d5 e169c58d bc57ac4c 9b00dbd8',
  'ffffffff ffffffff ffffffff ffffffff ffffffff ffffffff 408f276d 41c83b0e a20bc7c6 6d5451fd',
  '243f6a88 85a308d3 13198a2e 03707344 a4093822 299f31d0 d16cfe09 94fdcceb 5001e420 24126ea1'
]

const seeds = fc.maxSafeInteger()
const uniform = (...key: Parameters<typeof uniforms>): number => uniforms(...key)[0]

it.each(KNOWN_ANSWERS)('gives the known answer of Random123: %s', line => {
  const [c0 = 0, c1 = 0, c2 = 0, c3 = 0, k0 = 0, k1 = 0, ...answer] = line.split(' ').map(word => Number.parseInt(word, 16))
  expect(philox4x32([c0, c1, c2, c3], [k0, k1])).toEqual(answer)
})

it('consists of 53 bits of the first two words', () => {
  expect(uniform(0, 0, 0)).toBe(Number((((0x6627e8d5e169c58dn >> 32n) >> 5n) << 26n) | (0xe169c58dn >> 6n)) / 2 ** 53)
})

it('is in [0, 1) for every seed, choice and position', () => {
  fc.assert(
    fc.property(seeds, fc.nat(127), fc.nat(1 << 20), (seed, choice, position) => {
      const noise = uniform(seed, choice, position)
      expect(noise >= 0 && noise < 1).toBe(true)
    })
  )
})

it('changes with the seed, its sign, its upper bits, the choice, the position and the attempt', () => {
  const keys: readonly Parameters<typeof uniforms>[] = [
    [5, 0, 0],
    [-5, 0, 0],
    [5 + 2 ** 32, 0, 0],
    [-(2 ** 53) + 1, 0, 0],
    [2 ** 53 - 1, 0, 0],
    [5, 1, 0],
    [5, 0, 1],
    [5, 1, 1],
    [0, 5, 0],
    [0, 0, 5],
    [5, 0, 0, 1]
  ]
  expect(new Set(keys.flatMap(key => uniforms(...key))).size).toBe(2 * keys.length)
})

/**
 * Chi-square with 15 degrees of freedom exceeds 56.5 with probability 1e-6. The seeds are fixed, so the test is
 * deterministic.
 */
it.each([
  { name: 'positions', at: (index: number) => uniform(1, 0, index) },
  { name: 'choices', at: (index: number) => uniform(1, index, 0) },
  { name: 'attempts', at: (index: number) => uniform(1, 0, 0, index) },
  { name: 'second numbers', at: (index: number) => uniforms(1, 0, index)[1] },
  { name: 'seeds', at: (index: number) => uniform(index - 8000, 0, 0) }
])('is uniform over $name', ({ at }) => {
  const cells = new Array<number>(16).fill(0)
  for (let index = 0; index < 16_000; index++) {
    const cell = Math.floor(at(index) * 16)
    cells[cell] = (cells[cell] ?? 0) + 1
  }
  expect(cells.reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0)).toBeLessThan(56.5)
})
