import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { ServiceError } from '../contract/errors.ts'
import { HubJsonTokenizer } from './hub-tokenizer.ts'
import type { Tokenizer } from './tokenizer.ts'

const TokenizerJson = z.looseObject({
  model: z.looseObject({ type: z.string().optional(), vocab: z.unknown() }),
  decoder: z.looseObject({ type: z.string() }).nullish()
})
const Config = z.looseObject({ eos_token_id: z.union([z.int(), z.array(z.int())]).nullish(), vocab_size: z.int().optional() })

/**
 * The tokenizer of a checkpoint folder: tokenizer.json, or vocab.json and merges.txt as GPT-2 has them.
 * End tokens and vocabulary size are those of generation_config.json and config.json.
 *
 * @throws {ServiceError} `unavailable` when the files are missing or malformed
 */
export async function tokenizerFromFolder(folder: string): Promise<Tokenizer> {
  const [tokenizerJson, tokenizerConfig, config, generation] = await Promise.all(
    ['tokenizer.json', 'tokenizer_config.json', 'config.json', 'generation_config.json'].map(name => readJson(join(folder, name)))
  )
  const tokenizer = parse(TokenizerJson, tokenizerJson ?? (await fromMerges(folder)), 'tokenizer.json')
  const settings = parse(Config, config ?? {}, 'config.json')
  const { eos_token_id } = { ...settings, ...parse(Config, generation ?? {}, 'generation_config.json') }
  return new HubJsonTokenizer({
    tokenizer,
    config: isObject(tokenizerConfig) ? tokenizerConfig : {},
    vocabularySize: settings.vocab_size ?? Object.keys(tokenizer.model.vocab ?? {}).length,
    endTokenIds: [eos_token_id ?? []].flat(),
    alphabet: JSON.stringify(tokenizer.decoder ?? null).includes('"ByteLevel"') ? 'byte-level' : 'sentence-piece'
  })
}

/** GPT-2's own files, older than tokenizer.json. */
async function fromMerges(folder: string): Promise<object> {
  const [vocab, merges] = await Promise.all([readJson(join(folder, 'vocab.json')), readText(join(folder, 'merges.txt'))])
  if (vocab === null || merges === null) {
    throw new ServiceError('unavailable', `${folder} has no tokenizer.json, and not both of vocab.json and merges.txt`)
  }
  const end = isObject(vocab) ? Reflect.get(vocab, '<|endoftext|>') : undefined
  return {
    version: '1.0',
    added_tokens: typeof end === 'number' ? [{ id: end, content: '<|endoftext|>', normalized: false, special: true }] : [],
    normalizer: null,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
    post_processor: null,
    decoder: { type: 'ByteLevel' },
    model: { type: 'BPE', vocab, merges: merges.split('\n').filter(line => line !== '' && !line.startsWith('#version')), unk_token: null }
  }
}

async function readText(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return null
    throw cause
  }
}

async function readJson(path: string): Promise<unknown> {
  const text = await readText(path)
  if (text === null) return null
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new ServiceError('unavailable', `${path} is not JSON`, { cause })
  }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

function parse<Value>(schema: z.ZodType<Value>, value: unknown, name: string): Value {
  const { data, error } = schema.safeParse(value)
  if (error !== undefined) throw new ServiceError('unavailable', `${name} cannot be read: ${z.prettifyError(error)}`, { cause: error })
  return data as Value
}
