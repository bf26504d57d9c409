import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { tokenizerFromGguf } from '../../../../src/inference/tokenizer/model-files/gguf-tokenizer.ts'

interface Fixture {
  readonly size: number
  /** The tokens that the cases need, with their ids in the whole vocabulary. */
  readonly vocabulary: Readonly<Record<string, number>>
  readonly control: readonly number[]
  readonly merges: readonly string[]
  readonly cases: readonly { readonly text: string; readonly tokenIds: readonly number[] }[]
}
const fixture: Fixture = JSON.parse(readFileSync(new URL('../../../fixtures/tokenizer/smollm2.json', import.meta.url), 'utf8'))

function openTokenizer() {
  const tokens = Array.from({ length: fixture.size }, (_, tokenId) => `(left out ${tokenId})`)
  for (const [token, tokenId] of Object.entries(fixture.vocabulary)) tokens[tokenId] = token
  const types = new Int32Array(fixture.size).fill(1)
  for (const tokenId of fixture.control) types[tokenId] = 3
  return tokenizerFromGguf(
    new Map<string, unknown>([
      ['tokenizer.ggml.model', 'gpt2'],
      ['tokenizer.ggml.pre', 'smollm'],
      ['tokenizer.ggml.tokens', tokens],
      ['tokenizer.ggml.merges', fixture.merges],
      ['tokenizer.ggml.token_type', types]
    ])
  )
}
const tokenizer = openTokenizer()

it("gives the ids of the Rust tokenizers library in the default model's vocabulary", () => {
  for (const { text, tokenIds } of fixture.cases) expect(tokenizer.encode(text), JSON.stringify(text)).toEqual(tokenIds)
})

it('decodes to the original text, control tokens included', () => {
  for (const { text, tokenIds } of fixture.cases) {
    const decoder = tokenizer.decoder({ skipSpecial: false })
    expect(tokenIds.map(tokenId => decoder.push(tokenId)).join('') + decoder.flush()).toBe(text)
  }
})
