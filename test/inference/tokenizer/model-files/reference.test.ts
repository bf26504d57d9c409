import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { tokenizerFromFolder } from '../../../../src/inference/tokenizer/model-files/folder-tokenizer.ts'
import { tokenizerFromGguf } from '../../../../src/inference/tokenizer/model-files/gguf-tokenizer.ts'

const folder = fileURLToPath(new URL('../../../fixtures/tokenizer/', import.meta.url))
const CASES: readonly { readonly text: string; readonly tokenIds: readonly number[] }[] = JSON.parse(
  readFileSync(`${folder}cases.json`, 'utf8')
)
const { model }: { model: { vocab: Record<string, number>; merges: readonly (readonly [string, string])[] } } = JSON.parse(
  readFileSync(`${folder}byte-level/tokenizer.json`, 'utf8')
)

it('gives the ids of the Rust tokenizers library for a checkpoint folder', async () => {
  const tokenizer = await tokenizerFromFolder(`${folder}byte-level`)
  for (const { text, tokenIds } of CASES) expect(tokenizer.encode(text), JSON.stringify(text)).toEqual(tokenIds)
})

it('gives the same ids for the same vocabulary in a GGUF file', () => {
  const tokens = Object.entries(model.vocab)
    .sort(([, a], [, b]) => a - b)
    .map(([token]) => token)
  const tokenizer = tokenizerFromGguf(
    new Map<string, unknown>([
      ['tokenizer.ggml.model', 'gpt2'],
      ['tokenizer.ggml.pre', 'smollm'],
      ['tokenizer.ggml.tokens', tokens],
      ['tokenizer.ggml.merges', model.merges.map(pair => pair.join(' '))],
      ['tokenizer.ggml.token_type', tokens.map(token => (token.startsWith('<|') ? 3 : 1))]
    ])
  )
  for (const { text, tokenIds } of CASES) expect(tokenizer.encode(text), JSON.stringify(text)).toEqual(tokenIds)
})
