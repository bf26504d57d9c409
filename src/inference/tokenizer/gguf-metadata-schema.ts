import { z } from 'zod'
import { ServiceError } from '../contract/errors.ts'

const Strings = z.custom<readonly string[]>(value => Array.isArray(value) && value.every(item => typeof item === 'string'))
const Numbers = z.custom<ArrayLike<number>>(value => Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView)))
const TokenId = z.coerce.number().int().min(0).optional()

const Metadata = z.object({
  'tokenizer.ggml.model': z.enum(['gpt2', 'llama']),
  'tokenizer.ggml.pre': z.string().default('default'),
  'tokenizer.ggml.tokens': Strings,
  'tokenizer.ggml.merges': Strings.optional(),
  'tokenizer.ggml.scores': Numbers.optional(),
  'tokenizer.ggml.token_type': Numbers.optional(),
  'tokenizer.ggml.bos_token_id': TokenId,
  'tokenizer.ggml.eos_token_id': TokenId,
  'tokenizer.ggml.eot_token_id': TokenId,
  'tokenizer.ggml.eom_token_id': TokenId,
  'tokenizer.ggml.add_bos_token': z.boolean().optional(),
  'tokenizer.ggml.add_space_prefix': z.boolean().default(true)
})

/** Llama 3's files, which begin every text with the start token though few say so. Source: llama.cpp, `llama-vocab.cpp`. */
const PRES_WITH_START: readonly string[] = ['llama-bpe', 'llama3', 'llama-v3']

/** A vocabulary as a GGUF file holds it. */
export interface GgufVocabulary {
  readonly model: 'gpt2' | 'llama'
  readonly pre: string
  readonly tokens: readonly string[]
  readonly merges: readonly string[]
  readonly scores: ArrayLike<number>
  readonly types: ArrayLike<number>
  readonly startTokenIds: readonly number[]
  readonly endTokenIds: readonly number[]
  readonly addsSpacePrefix: boolean
}

/** @throws {ServiceError} `unavailable` when keys are missing, malformed or of a kind that we do not know */
export function parseGgufVocabulary(metadata: ReadonlyMap<string, unknown>): GgufVocabulary {
  const { data, error } = Metadata.safeParse(Object.fromEntries([...metadata].filter(([key]) => key.startsWith('tokenizer.ggml.'))))
  if (error !== undefined) throw new ServiceError('unavailable', `the file's tokenizer cannot be read: ${z.prettifyError(error)}`)
  const model = data['tokenizer.ggml.model']
  const start = data['tokenizer.ggml.bos_token_id']
  const pre = data['tokenizer.ggml.pre']
  const ends = (['eos', 'eot', 'eom'] as const).map(end => data[`tokenizer.ggml.${end}_token_id`]).filter(tokenId => tokenId !== undefined)
  const addsStart = data['tokenizer.ggml.add_bos_token'] ?? (model === 'llama' || PRES_WITH_START.includes(pre))
  return {
    model,
    pre,
    tokens: data['tokenizer.ggml.tokens'],
    merges: data['tokenizer.ggml.merges'] ?? [],
    scores: data['tokenizer.ggml.scores'] ?? [],
    types: data['tokenizer.ggml.token_type'] ?? [],
    startTokenIds: addsStart && start !== undefined ? [start] : [],
    endTokenIds: [...new Set(ends)],
    addsSpacePrefix: data['tokenizer.ggml.add_space_prefix']
  }
}
