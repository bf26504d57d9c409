import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ServiceError } from '../../../../src/inference/contract/errors.ts'
import { chatSourceOfFolder } from '../../../../src/inference/tokenizer/model-files/chat-source.ts'
import { tokenizerFromFolder } from '../../../../src/inference/tokenizer/model-files/folder-tokenizer.ts'
import { HubJsonTokenizer } from '../../../../src/inference/tokenizer/model-files/hub-tokenizer.ts'

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

const added = (id: number, content: string): Json => ({
  ...{ id, content, special: true, normalized: false, lstrip: false, rstrip: false, single_word: false }
})
const startsWith = (ids: readonly number[]): Json => ({
  type: 'TemplateProcessing',
  single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
  pair: [{ Sequence: { id: 'A', type_id: 0 } }, { Sequence: { id: 'B', type_id: 0 } }],
  special_tokens: { '<s>': { id: '<s>', ids, tokens: ['<s>'] } }
})
const BYTE_LEVEL = {
  version: '1.0',
  added_tokens: [added(3, '<s>')],
  normalizer: null,
  pre_tokenizer: { type: 'Sequence', pretokenizers: [{ type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true }] },
  post_processor: startsWith([3]),
  decoder: { type: 'ByteLevel' },
  model: { type: 'BPE', vocab: { a: 0, b: 1, ab: 2 }, merges: ['a b'], unk_token: null }
} satisfies Json
const UNIGRAM = {
  ...BYTE_LEVEL,
  pre_tokenizer: { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: true },
  decoder: { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: true },
  model: {
    type: 'Unigram',
    unk_id: 0,
    vocab: [
      ['a', -1],
      ['b', -2],
      ['▁', -3]
    ]
  }
} satisfies Json
const TEXT = 'ab <s> b'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hostile-'))
})
afterEach(() => rm(folder, { recursive: true }))

async function open(json: unknown, others: Readonly<Record<string, unknown>> = {}) {
  const files = Object.entries({ 'tokenizer.json': json, ...others })
  await Promise.all(files.map(([name, value]) => writeFile(join(folder, name), typeof value === 'string' ? value : JSON.stringify(value))))
  return await tokenizerFromFolder(folder)
}

function model(changes: Readonly<Record<string, Json>>) {
  return { ...BYTE_LEVEL, model: { ...BYTE_LEVEL.model, ...changes } }
}

const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels)

const HOSTILE: readonly (readonly [reason: string, json: unknown, message: RegExp])[] = [
  ['an id above the bound', model({ vocab: { a: 0, b: 1, ab: 4_294_967_290 } }), /token "ab" has the id 4294967290, must be from 0/],
  ['an added id above the bound', { ...BYTE_LEVEL, added_tokens: [added(2 ** 31, '<s>')] }, /token "<s>" has the id 2147483648/],
  ['a negative id', model({ vocab: { a: -1, b: 1, ab: 2 } }), /token "a" has the id -1, must be from 0/],
  ['an empty vocabulary', { ...model({ vocab: {}, merges: [] }), added_tokens: [] }, /no tokens/],
  ['a merge of tokens that do not exist', model({ merges: ['a b', 'ab ab'] }), /merge 1 of the tokenizer, "ab ab"/],
  ['two tokens with one id, which a merge needs', model({ vocab: { a: 0, b: 0, ab: 0 } }), /merge 0 of the tokenizer/],
  ['deep nesting', JSON.stringify(BYTE_LEVEL).replace('"version":', `"x":${nested(100_000)},"version":`), /nested deeper than 64/],
  ['a list', [], /tokenizer\.json cannot be read/],
  ['a step that the library does not support', { ...BYTE_LEVEL, pre_tokenizer: { type: 'Nope' } }, /tokenizer\.json cannot be used: /]
]

describe('a tokenizer.json', () => {
  it.each(HOSTILE)('is refused for %s', async (_, json, message) => {
    await expect(open(json)).rejects.toThrow(message)
    await expect(open(json)).rejects.toBeInstanceOf(ServiceError)
  })

  it('may have any number of steps', async () => {
    const pretokenizers = Array(20_000).fill({ type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true })
    expect(await open({ ...BYTE_LEVEL, pre_tokenizer: { type: 'Sequence', pretokenizers } })).toBeInstanceOf(HubJsonTokenizer)
  })

  it('may contain tokens that are properties of every object', async () => {
    const text = JSON.stringify(model({ vocab: { a: 0, b: 1, ab: 2, constructor: 5 } })).replace('"ab":2', '"ab":2,"__proto__":4')
    const tokenizer = await open(text)
    expect([4, 5].map(tokenId => Buffer.from(tokenizer.bytes(tokenId)).toString())).toEqual(['__proto__', 'constructor'])
    expect(Object.hasOwn(Object.prototype, 'a')).toBe(false)
  })

  it.each([-7, 999_999])('with the start token %i, which does not exist, causes a warning, and the token is not used', async tokenId => {
    const tokenizer = await open({ ...BYTE_LEVEL, post_processor: startsWith([3, tokenId]) })
    expect(tokenizer.encode('ab')).toEqual([3, 2])
    expect(tokenizer.warnings).toEqual([expect.stringContaining(`the start token ${tokenId}`)])
  })

  const value: fc.Arbitrary<Json> = fc.oneof(
    fc.constantFrom<Json[]>(
      null,
      true,
      -1,
      0.5,
      2 ** 31,
      2 ** 32 - 2,
      2 ** 53 - 1,
      -(2 ** 53),
      '',
      'a',
      '(',
      '\ud83d',
      [],
      {},
      [[]],
      ['a']
    ),
    fc
      .constantFrom('Replace', 'Split', 'Sequence', 'Prepend', 'Unigram', 'WordPiece', 'BPE', 'ByteFallback', 'BertNormalizer')
      .map(type => ({ type })),
    fc.constantFrom(10, 63, 100).map((levels): Json => JSON.parse(nested(levels))),
    fc.dictionary(fc.constantFrom('__proto__', 'constructor', 'a', 'type', 'id'), fc.constantFrom<Json[]>(0, 'a', null))
  )

  it.each([
    ['byte-level', BYTE_LEVEL],
    ['Unigram', UNIGRAM]
  ] as const)('of the kind %s, however damaged, is refused or gives existing ids', async (_, whole) => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.nat(), value), { minLength: 1, maxLength: 3 }), async damages => {
        const json = damages.reduce<Json>((damaged, [at, replacement]) => replaceNode(damaged, at, replacement), whole)
        const tokenizer = await open(json).catch(refusal)
        if (tokenizer === null) return
        const tokenIds = encoded(() => tokenizer.encode(TEXT))
        for (const tokenId of tokenIds) expect(tokenId >= 0 && tokenId < tokenizer.vocabularySize, `id ${tokenId}`).toBe(true)
        for (let tokenId = -1; tokenId <= 5; tokenId++) expect(tokenizer.bytes(tokenId)).toBeInstanceOf(Uint8Array)
      }),
      { numRuns: 500 }
    )
  })
})

describe('the other files', () => {
  it('cause warnings of bounded length', async () => {
    const many = Array.from({ length: 100_000 }, (_, index) => 10 + index)
    const { warnings } = await open(BYTE_LEVEL, {
      'config.json': { eos_token_id: many },
      'generation_config.json': { eos_token_id: [0, 1, 2] }
    })
    expect(warnings.join().length).toBeLessThan(1000)
    expect(warnings).toEqual([expect.stringContaining('names the end token 10, 11, 12')])
  })

  it.each(['tokenizer.json', 'tokenizer_config.json', 'chat_template.jinja'])('are refused when %s is not a regular file', async name => {
    const read = name === 'tokenizer.json' ? tokenizerFromFolder : chatSourceOfFolder
    for (const make of [() => mkdir(join(folder, name)), () => symlink('/dev/null', join(folder, name))]) {
      await make()
      await expect(read(folder)).rejects.toBeInstanceOf(ServiceError)
      await expect(read(folder)).rejects.toThrow(/not a regular file/)
      await rm(join(folder, name), { recursive: true })
    }
  })

  it.each([
    ['a template that is a number', { chat_template: 5 }],
    ['named templates of other kinds', { chat_template: [{ name: '__proto__', template: 5 }] }],
    ['a list', []]
  ])('are refused for %s', async (_, config) => {
    await writeFile(join(folder, 'tokenizer_config.json'), JSON.stringify(config))
    await expect(chatSourceOfFolder(folder)).rejects.toThrow(/tokenizer_config\.json cannot be read/)
  })
})

function refusal(error: unknown): null {
  expect(error).toBeInstanceOf(ServiceError)
  return null
}

/** With a damaged step, the library may fail on a text, but it must terminate. */
function encoded(encode: () => number[]): number[] {
  try {
    return encode()
  } catch (error) {
    expect(error).toBeInstanceOf(Error)
    return []
  }
}

/** Replaces one node of a document, by its index in depth-first order. */
function replaceNode(json: Json, at: number, replacement: Json): Json {
  let left = at % countNodes(json)
  const walk = (node: Json): Json => {
    if (left-- === 0) return replacement
    if (typeof node !== 'object' || node === null) return node
    if (Array.isArray(node)) return node.map(walk)
    return Object.fromEntries(Object.entries(node).map(([key, item]) => [key, walk(item)]))
  }
  return walk(json)
}

function countNodes(json: Json): number {
  if (typeof json !== 'object' || json === null) return 1
  return Object.values(json).reduce<number>((count, item: Json) => count + countNodes(item), 1)
}
