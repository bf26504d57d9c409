import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { tokenizerFromFolder } from '../../../src/inference/tokenizer/model-files/folder-tokenizer.ts'
import { tokenizerFromGguf } from '../../../src/inference/tokenizer/model-files/gguf-tokenizer.ts'

const NORMAL = 1
const CONTROL = 3

function gguf(specials: readonly string[], keys: Readonly<Record<string, number>> = {}, type = CONTROL) {
  const tokens = ['a', 'b', ...specials]
  return tokenizerFromGguf(
    new Map<string, unknown>([
      ['tokenizer.ggml.model', 'gpt2'],
      ['tokenizer.ggml.pre', 'gpt-2'],
      ['tokenizer.ggml.tokens', tokens],
      ['tokenizer.ggml.token_type', tokens.map(token => (specials.includes(token) ? type : NORMAL))],
      ...Object.entries(keys)
    ])
  )
}

describe('a GGUF file', () => {
  it('ends at every token that one of its keys names, and warns when they differ', () => {
    const key = fc.option(fc.constantFrom(2, 3, 4), { nil: undefined })
    fc.assert(
      fc.property(key, key, key, (eos, eot, eom) => {
        const named = Object.entries({ eos, eot, eom }).flatMap(([name, id]) =>
          id === undefined ? [] : [[`tokenizer.ggml.${name}_token_id`, id] as const]
        )
        const tokenizer = gguf(['<x>', '<y>', '<z>'], Object.fromEntries(named))
        const ids = new Set(named.map(([, id]) => id))
        expect(new Set(tokenizer.endTokenIds)).toEqual(ids)
        expect(tokenizer.warnings).toHaveLength(ids.size > 1 ? 1 : 0)
        if (ids.size > 1) for (const [name, id] of named) expect(tokenizer.warnings[0]).toContain(`${name} ${id}`)
      })
    )
  })

  it.each([
    '<|eot_id|>',
    '<|im_end|>',
    '<|end|>',
    '<end_of_turn>',
    '<|endoftext|>',
    '<|eom_id|>',
    '<EOT>',
    '_<EOT>',
    '<|end_of_text|>',
    '</s>'
  ])('ends at %s if that is a control token, also when no key names it', text => {
    expect(gguf([text]).endTokenIds).toEqual([2])
    expect(gguf([text], {}, NORMAL).endTokenIds).toEqual([])
  })

  it('continues after a token that only ends a part of a message', () => {
    expect(gguf(['<|end|>', '<|return|>', '<|call|>']).endTokenIds).toEqual([3, 4])
    expect(gguf(['<|end|>', '<|return|>']).endTokenIds, 'unless the other one of the pair is missing').toEqual([2, 3])
  })

  it('ignores an end token that does not exist, and warns', () => {
    const tokenizer = gguf(['<x>'], { 'tokenizer.ggml.eos_token_id': 4_294_967_295 })
    expect(tokenizer.endTokenIds).toEqual([])
    expect(tokenizer.warnings).toEqual([expect.stringContaining('tokenizer.ggml.eos_token_id names the end token 4294967295')])
  })
})

describe('a checkpoint', () => {
  const BYTE_LEVEL = fileURLToPath(new URL('../../fixtures/tokenizer/byte-level', import.meta.url))
  let folder: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ends-'))
    await cp(BYTE_LEVEL, folder, { recursive: true })
  })
  afterEach(() => rm(folder, { recursive: true }))

  async function open(config: unknown, generation: unknown, eosToken: unknown) {
    await writeFile(join(folder, 'config.json'), JSON.stringify({ eos_token_id: config }))
    await writeFile(join(folder, 'generation_config.json'), JSON.stringify({ eos_token_id: generation }))
    await writeFile(join(folder, 'tokenizer_config.json'), JSON.stringify({ eos_token: eosToken }))
    return tokenizerFromFolder(folder)
  }

  it.each([
    { config: 5, generation: 6, all: [6, 5] },
    { config: [5, 6], generation: 7, all: [7, 5, 6] },
    { config: 5, generation: [5, 7], all: [5, 7] },
    { config: null, generation: 7, all: [7] },
    { config: [5, 6], generation: [6, 5], all: [6, 5] }
  ])('ends at the tokens of config.json ($config) and generation_config.json ($generation)', async ({ config, generation, all }) => {
    const { endTokenIds, warnings } = await open(config, generation, null)
    expect(endTokenIds.slice(0, all.length)).toEqual(all)
    const agree = config === null || new Set([config].flat()).symmetricDifference(new Set([generation].flat())).size === 0
    expect(warnings).toHaveLength(agree ? 0 : 1)
  })

  it('ends at the tokens that its files name also when it uses a tiktoken encoding', async () => {
    await rm(join(folder, 'tokenizer.json'))
    await writeFile(join(folder, 'config.json'), JSON.stringify({ vocab_size: 50_257, eos_token_id: 5 }))
    const { endTokenIds, warnings } = await tokenizerFromFolder(folder)
    expect(endTokenIds).toEqual([5, 50_256])
    expect(warnings).toEqual([expect.stringContaining('config.json eos_token_id 5 (&); the encoding gpt2 50256 (<|endoftext|>)')])
  })

  it('has a warning of bounded length, however many end tokens of whatever length its files name', async () => {
    const path = join(folder, 'tokenizer.json')
    const json = JSON.parse(await readFile(path, 'utf8'))
    const size = 1 + Math.max(...Object.values<number>(json.model.vocab), ...json.added_tokens.map(({ id }: { id: number }) => id))
    const added = Array.from({ length: 50 }, (_, at) => ({
      ...json.added_tokens[0],
      id: size + at,
      content: `<|${at}${'x'.repeat(5000)}|>`
    }))
    await writeFile(path, JSON.stringify({ ...json, added_tokens: [...json.added_tokens, ...added] }))
    const { warnings } = await open(
      added.map(({ id }) => id),
      5,
      null
    )
    expect(warnings).toEqual([expect.stringContaining(`config.json eos_token_id ${size} (<|0xxx`)])
    expect(warnings[0]?.length).toBeLessThan(1500)
  })

  it.each([
    ['a string', (text: string): unknown => text],
    ['an added token', (content: string): unknown => ({ __type: 'AddedToken', content, special: true })]
  ])('ends at the eos_token of tokenizer_config.json, given as %s', async (_, write) => {
    const { model } = JSON.parse(await readFile(join(folder, 'tokenizer.json'), 'utf8'))
    const [text, tokenId] = Object.entries(model.vocab)[9] as [string, number]
    const { endTokenIds, warnings } = await open(5, 5, write(text))
    expect(endTokenIds).toContain(tokenId)
    expect(warnings).toEqual([expect.stringContaining(`tokenizer_config.json eos_token ${tokenId}`)])
  })
})
