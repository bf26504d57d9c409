import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Vocabulary } from '../../../src/inference/tokenizer/vocabulary.ts'

/** A token for each byte, and one control token. */
const vocabulary = new Vocabulary({
  vocabularySize: 257,
  specialIds: new Set([256]),
  statedEnds: [{ source: 'the test', tokenIds: [256] }],
  warnings: [],
  bytesOf: tokenId => (tokenId === 256 ? new TextEncoder().encode('<|end|>') : Uint8Array.of(tokenId))
})

const whole = (bytes: readonly number[]): string => new TextDecoder('utf-8', { ignoreBOM: true }).decode(Uint8Array.from(bytes))
const byte = fc.oneof(fc.nat(255), fc.constantFrom(0xe2, 0x82, 0xac, 0xf0, 0x9f, 0x98, 0x80, 0xef, 0xbb, 0xbf))

it('decodes in pieces to the same text as all at once', () => {
  fc.assert(
    fc.property(fc.array(byte), bytes => {
      const decoder = vocabulary.decoder({ skipSpecial: true })
      expect(bytes.map(tokenId => decoder.push(tokenId)).join('') + decoder.flush()).toBe(whole(bytes))
    })
  )
})

it('buffers at most one incomplete character, also in invalid UTF-8', () => {
  fc.assert(
    fc.property(fc.array(byte), bytes => {
      const decoder = vocabulary.decoder({ skipSpecial: true })
      let emitted = ''
      for (const [at, tokenId] of bytes.entries()) {
        emitted += decoder.push(tokenId)
        // An incomplete character at the end is decoded to one U+FFFD.
        const complete = whole(bytes.slice(0, at + 1))
        expect([complete, complete.replace(/\ufffd$/u, '')]).toContain(emitted)
      }
    })
  )
})

it('has no bytes for ids outside the vocabulary', () => {
  const empty = new Vocabulary({ vocabularySize: 1, specialIds: new Set(), statedEnds: [], warnings: [], bytesOf: () => new Uint8Array(0) })
  expect([-1, 0.5, 2 ** 31].map(tokenId => empty.bytes(tokenId).length)).toEqual([0, 0, 0])
})

it('never emits an incomplete character', () => {
  // U+FFFD itself is a character, too.
  const texts = fc.string({ unit: 'grapheme' }).filter(text => !text.includes('\ufffd'))
  fc.assert(
    fc.property(texts, text => {
      const decoder = vocabulary.decoder({ skipSpecial: true })
      const pieces = [...new TextEncoder().encode(text)].map(tokenId => decoder.push(tokenId))
      for (const piece of pieces) expect(piece).not.toContain('�')
      expect(pieces.join('')).toBe(text)
    })
  )
})

it('omits control tokens with skipSpecial, and emits them without', () => {
  const emit = (skipSpecial: boolean): string => vocabulary.decoder({ skipSpecial }).push(256)
  expect([emit(true), emit(false)]).toEqual(['', '<|end|>'])
})
