import type { TextDecoderPort, TokenText } from '../../../src/inference/contract/token-text.ts'

const UTF8 = new TextEncoder()
const EURO = UTF8.encode('€')

/** 32 tokens: 0 pad, 1 start, 2 end, 3..5 the three bytes of "€", then letters. */
export const fakeText: TokenText = {
  vocabularySize: 32,
  endTokenIds: [2],
  isSpecial: tokenId => tokenId < 3,
  specialIdOf: text => [0, 1, 2].find(tokenId => text === `<${tokenId}>`) ?? null,
  bytes: tokenId => {
    if (tokenId < 3) return UTF8.encode(`<${tokenId}>`)
    return tokenId < 6 ? EURO.slice(tokenId - 3, tokenId - 2) : UTF8.encode(String.fromCharCode(91 + tokenId))
  },
  decoder: ({ skipSpecial }): TextDecoderPort => {
    const decoder = new TextDecoder()
    return {
      push: tokenId => (skipSpecial && tokenId < 3 ? '' : decoder.decode(fakeText.bytes(tokenId), { stream: true })),
      flush: () => decoder.decode()
    }
  }
}
