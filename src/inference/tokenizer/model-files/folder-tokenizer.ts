import { join } from 'node:path'
import { z } from 'zod'
import { ServiceError } from '../../contract/errors.ts'
import { byteLevelTokenizer } from '../byte-pair/byte-level-tokenizer.ts'
import type { StatedEnds } from '../end-tokens.ts'
import { TIKTOKEN_ENCODINGS, type TiktokenEncodingName, tokenizerFromTiktoken } from '../tiktoken-tokenizer.ts'
import type { Tokenizer } from '../tokenizer.ts'
import { byteLevelOfJson } from './byte-level-json.ts'
import { readJson, readText } from './folder-files.ts'
import { hubJsonWithin, hubTokens, parseHubJson } from './hub-json.ts'
import { HubJsonTokenizer } from './hub-tokenizer.ts'
import { excludedTokensWarning, withinEmbedding } from './within-embedding.ts'

const Config = z.looseObject({ eos_token_id: z.union([z.int(), z.array(z.int())]).nullish(), vocab_size: z.int().optional() })

const TokenizerConfig = z.looseObject({
  eos_token: z.union([z.string(), z.looseObject({ content: z.string() }).transform(token => token.content)]).nullish()
})

/** Tokens of each encoding, special ones included; gpt2 and r50k_base are equal. */
const VOCABULARY_SIZES: Readonly<Record<TiktokenEncodingName, number>> = {
  gpt2: 50_257,
  r50k_base: 50_257,
  p50k_base: 50_281,
  cl100k_base: 100_277,
  o200k_base: 200_019
}

/**
 * The tokenizer of a checkpoint folder: tokenizer.json, or else GPT-2's vocab.json and merges.txt, or else the tiktoken
 * encoding with the vocabulary size of config.json. End tokens are the union of those in generation_config.json,
 * config.json and tokenizer_config.json.
 *
 * @param embeddingRows  tokens beyond them are excluded; by default `vocab_size` of config.json
 * @throws {ServiceError} `unavailable` when the files are missing or malformed
 */
export async function tokenizerFromFolder(folder: string, embeddingRows?: number): Promise<Tokenizer> {
  const [tokenizerJson, tokenizerConfig, config, generation] = await Promise.all(
    ['tokenizer.json', 'tokenizer_config.json', 'config.json', 'generation_config.json'].map(name => readJson(join(folder, name)))
  )
  const settings = parse(Config, config ?? {}, 'config.json')
  const namedIds: readonly StatedEnds[] = [
    {
      source: 'generation_config.json eos_token_id',
      tokenIds: listOf(parse(Config, generation ?? {}, 'generation_config.json').eos_token_id)
    },
    { source: 'config.json eos_token_id', tokenIds: listOf(settings.eos_token_id) }
  ]
  const json = tokenizerJson ?? (await fromMerges(folder))
  if (json === null) return fromEncoding(folder, settings, namedIds)
  const tokenizer = parseHubJson(json)
  const tokens = hubTokens(tokenizer)
  const rows = embeddingRows ?? settings.vocab_size ?? Number.POSITIVE_INFINITY
  const { eos_token } = parse(TokenizerConfig, tokenizerConfig ?? {}, 'tokenizer_config.json')
  const statedEnds: readonly StatedEnds[] = [
    ...namedIds,
    { source: 'tokenizer_config.json eos_token', tokenIds: listOf(tokens.findLast(([, text]) => text === eos_token)?.[0]) }
  ]
  const common = {
    statedEnds,
    // Ids that pad the embedding have no token and are never sampled.
    vocabularySize: tokens.reduce((size, [tokenId]) => (tokenId < rows ? Math.max(size, tokenId + 1) : size), 0),
    warnings: excludedTokensWarning([...new Map(tokens)], rows)
  }
  const byteLevel = byteLevelOfJson(tokenizer)
  if (byteLevel !== null) return byteLevelTokenizer({ ...withinEmbedding(byteLevel, rows), ...common })
  return new HubJsonTokenizer({
    ...common,
    tokenizer: hubJsonWithin(tokenizer, rows),
    config: isObject(tokenizerConfig) ? tokenizerConfig : {},
    alphabet: JSON.stringify(tokenizer.decoder ?? null).includes('"ByteLevel"') ? 'byte-level' : 'sentence-piece'
  })
}

function listOf(ids: number | readonly number[] | null | undefined): readonly number[] {
  return [ids ?? []].flat()
}

/** The files of GPT-2, which predate tokenizer.json. */
async function fromMerges(folder: string): Promise<object | null> {
  const [vocab, merges] = await Promise.all([readJson(join(folder, 'vocab.json')), readText(join(folder, 'merges.txt'))])
  if (vocab === null || merges === null) return null
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

/** Weights that were published without a tokenizer and use a tiktoken encoding. */
async function fromEncoding(folder: string, { vocab_size }: z.infer<typeof Config>, statedEnds: readonly StatedEnds[]): Promise<Tokenizer> {
  const encoding = TIKTOKEN_ENCODINGS.find(name => VOCABULARY_SIZES[name] === vocab_size)
  if (encoding !== undefined) return tokenizerFromTiktoken(encoding, statedEnds)
  throw new ServiceError(
    'unavailable',
    `${folder} has neither tokenizer.json nor both vocab.json and merges.txt, and no tiktoken encoding has ${vocab_size ?? 'an unknown number of'} tokens`
  )
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

function parse<Value>(schema: z.ZodType<Value>, value: unknown, name: string): Value {
  const { data, error } = schema.safeParse(value)
  if (error !== undefined) throw new ServiceError('unavailable', `${name} cannot be read: ${z.prettifyError(error)}`, { cause: error })
  return data as Value
}
