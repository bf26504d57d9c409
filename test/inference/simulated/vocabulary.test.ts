import fc from 'fast-check'
import { expect, it } from 'vitest'
import {
  encodeSimulated,
  SIMULATED_VOCABULARY_SIZE,
  simulatedBytes,
  simulatedLabel,
  wordToken
} from '../../../src/inference/simulated/vocabulary.ts'

const ALL = Array.from({ length: SIMULATED_VOCABULARY_SIZE }, (_, id) => id)

it('encodes every text so that the bytes decode to it', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), text => {
      const tokenIds = encodeSimulated(text)
      expect(tokenIds.every(id => id < SIMULATED_VOCABULARY_SIZE)).toBe(true)
      expect(Buffer.concat(tokenIds.map(simulatedBytes)).toString()).toBe(text)
    })
  )
})

it('contains no token twice, and characters of every length', () => {
  const labels = ALL.map(simulatedLabel)
  expect(new Set(labels).size).toBe(SIMULATED_VOCABULARY_SIZE)
  const sizes = labels.slice(256).flatMap(word => Array.from(word, char => Buffer.byteLength(char)))
  expect(new Set(sizes)).toEqual(new Set([1, 2, 3, 4]))
})

it('generates words only, and every word at some time', () => {
  expect(new Set(Array.from({ length: 1000 }, (_, index) => wordToken(index)))).toEqual(new Set(ALL.slice(256)))
  for (const id of ALL.slice(256)) expect(Buffer.from(simulatedBytes(id)).toString()).toBe(simulatedLabel(id))
})

it('writes a byte that is not a character as its value', () => {
  expect(simulatedLabel(0xe2)).toBe('bytes:\\xe2')
  expect(simulatedLabel(0x41)).toBe('A')
})

it('has no text for ids outside', () => {
  expect(simulatedBytes(SIMULATED_VOCABULARY_SIZE)).toHaveLength(0)
})
