import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { tokenizerFromFolder } from '../../../../src/inference/tokenizer/model-files/folder-tokenizer.ts'
import { tokenizerFromGguf } from '../../../../src/inference/tokenizer/model-files/gguf-tokenizer.ts'
import { openTextWork } from '../../../../src/inference/tokenizer/text-threads/text-work.ts'
import type { Tokenizer } from '../../../../src/inference/tokenizer/tokenizer.ts'

const LETTERS = ['a', 'b', 'c', '▁', 'Ġ', 'ab', 'abc', '<|x|>', '<|y|>']
const CONTROL = 3
const UNUSED = 5
const gguf = (model: 'gpt2' | 'llama', tokens: readonly string[] = LETTERS) =>
  new Map<string, unknown>([
    ['tokenizer.ggml.model', model],
    ['tokenizer.ggml.pre', 'gpt-2'],
    ['tokenizer.ggml.tokens', tokens],
    ['tokenizer.ggml.merges', ['a b', 'ab c']],
    ['tokenizer.ggml.token_type', tokens.map(token => (token.startsWith('<|') ? CONTROL : token.startsWith('[PAD') ? UNUSED : 1))],
    ['tokenizer.ggml.bos_token_id', 7],
    ['tokenizer.ggml.eos_token_id', 8],
    ['tokenizer.ggml.add_bos_token', true],
    ['tokenizer.ggml.prefix_token_id', 7],
    ['tokenizer.ggml.suffix_token_id', 8],
    ['tokenizer.ggml.middle_token_id', 900]
  ])

const BYTE_LEVEL = fileURLToPath(new URL('../../../fixtures/tokenizer/byte-level', import.meta.url))
let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tokenizer-'))
  await cp(BYTE_LEVEL, folder, { recursive: true })
})
afterEach(() => rm(folder, { recursive: true }))

/** Adds two tokens to the fixture; returns its size without them. Only the library supports `lstrip`. */
async function widenedFolder(isByteLevel: boolean): Promise<number> {
  const json = JSON.parse(await readFile(join(folder, 'tokenizer.json'), 'utf8'))
  const size = Math.max(...Object.values<number>(json.model.vocab), ...json.added_tokens.map(({ id }: { id: number }) => id)) + 1
  json.added_tokens.push(
    ...['<|x|>', '<|y|>'].map((content, index) => ({
      id: size + index,
      content,
      special: true,
      normalized: false,
      lstrip: !isByteLevel,
      rstrip: false,
      single_word: false
    }))
  )
  await writeFile(join(folder, 'tokenizer.json'), JSON.stringify(json))
  await writeFile(join(folder, 'config.json'), JSON.stringify({ vocab_size: size, eos_token_id: size + 1 }))
  return size
}

const TEXTS = fc.array(fc.constantFrom('a', 'b', 'c', 'ab', '<|x|>', '<|y|>', ' ', '€'), { maxLength: 12 }).map(parts => parts.join(''))

function expectIdsWithin(tokenizer: Tokenizer, rows: number): void {
  fc.assert(
    fc.property(TEXTS, text => {
      expect(tokenizer.encode(text).filter(tokenId => tokenId >= rows)).toEqual([])
    })
  )
  expect(tokenizer.vocabularySize).toBeLessThanOrEqual(rows)
  expect(tokenizer.endTokenIds.filter(tokenId => tokenId >= rows)).toEqual([])
  for (let tokenId = rows; tokenId < rows + 10; tokenId++) expect(tokenizer.isSpecial(tokenId)).toBe(false)
}

it.each(['gpt2', 'llama'] as const)('encodes to no id beyond the embedding, for any number of rows (%s)', model => {
  for (let rows = 1; rows <= LETTERS.length; rows++) expectIdsWithin(tokenizerFromGguf(gguf(model), rows), rows)
})

it('encodes as a tokenizer that has only the tokens and merges within the embedding, in any order of tokens', () => {
  const merges = ['a b', 'ab c', 'b c', 'a bc']
  const tokens: string[] = ['a', 'b', 'c', 'ab', 'bc', 'abc', '<|x|>', '<|y|>']
  const shuffled = fc.shuffledSubarray(tokens, { minLength: tokens.length })
  const repeated = fc.array(fc.constantFrom('a', 'ab', 'bc', 'abc'), { maxLength: 3 })
  fc.assert(
    fc.property(shuffled, repeated, fc.nat(), TEXTS, (once, again, at, text) => {
      const all = [...once, ...again]
      const rows = 1 + (at % all.length)
      const kept = all.slice(0, rows)
      const keptMerges = merges.filter(line => [...line.split(' '), line.replace(' ', '')].every(token => kept.includes(token)))
      const whole = tokenizerFromGguf(gguf('gpt2', all).set('tokenizer.ggml.merges', merges), rows)
      const small = tokenizerFromGguf(gguf('gpt2', kept).set('tokenizer.ggml.merges', keptMerges), rows)
      expect(whole.encode(text)).toEqual(small.encode(text))
    }),
    { numRuns: 1000 }
  )
})

it.each([
  ['byteLevelTokenizer', true],
  ['@huggingface/tokenizers', false]
] as const)('encodes to no id beyond the embedding of a checkpoint (%s)', async (_, isByteLevel) => {
  const rows = await widenedFolder(isByteLevel)
  const tokenizer = await tokenizerFromFolder(folder, rows)
  expectIdsWithin(tokenizer, rows)
  const without = await tokenizerFromFolder(BYTE_LEVEL)
  fc.assert(
    fc.property(TEXTS, text => {
      expect(tokenizer.encode(text)).toEqual(without.encode(text))
    })
  )
  expect(tokenizer.warnings).toEqual([
    expect.stringContaining(`2 token(s) beyond the ${rows} rows of the model's embedding: ${rows} "<|x|>", ${rows + 1} "<|y|>"`),
    expect.stringContaining(`config.json eos_token_id names the end token ${rows + 1}`)
  ])
})

it('has no warning when tokenizer and embedding agree, or the embedding is padded', () => {
  for (const rows of [LETTERS.length, LETTERS.length + 100]) {
    const tokenizer = tokenizerFromGguf(gguf('gpt2'), rows)
    expect(tokenizer.warnings).toEqual([])
    expect(tokenizer.vocabularySize, 'padding is never sampled').toBe(LETTERS.length)
  }
})

it('excludes ids that pad the vocabulary', () => {
  const tokens = [...LETTERS, '[PAD9]', '[PAD10]']
  const tokenizer = tokenizerFromGguf(gguf('gpt2', tokens), tokens.length)
  expect(tokenizer.vocabularySize).toBe(LETTERS.length)
  expect(tokenizer.bytes(9)).toHaveLength(0)
})

it('does not use excluded tokens to fill in the middle', async () => {
  const { facts } = await openTextWork({ kind: 'gguf', metadata: gguf('gpt2'), embeddingRows: LETTERS.length })
  expect(facts.fillInTheMiddle).toBeNull()
})
