import { z } from 'zod'
import { ServiceError } from '../../contract/errors.ts'
import type { StatedEnds } from '../end-tokens.ts'

const Strings = z.custom<readonly string[]>(value => Array.isArray(value) && value.every(item => typeof item === 'string'))
const Numbers = z.custom<ArrayLike<number>>(
  value => value instanceof Int32Array || (Array.isArray(value) && value.every(item => typeof item === 'number'))
)
const TokenId = z.coerce.number().int().min(0).optional()

const Metadata = z.object({
  'tokenizer.ggml.model': z.enum(['gpt2', 'llama']),
  'tokenizer.ggml.pre': z.string().optional(),
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

const MISSING_PRE =
  "the file has no tokenizer.ggml.pre: the model's pre-tokenizer is unknown, and GPT-2's is assumed. " +
  'A wrong pre-tokenizer degrades the quality of all outputs; convert the model again with a current llama.cpp.'

/**
 * Pre-tokenizers of Llama 3, which imply a start token: few of these files have `add_bos_token`. Source: llama.cpp,
 * `llama-vocab.cpp`.
 */
const PRES_WITH_START: readonly string[] = ['llama-bpe', 'llama3', 'llama-v3']

/**
 * `tokenizer.ggml.token_type` of unused ids, such as `[PAD49152]`. Source: ggml's GGUF specification.
 */
const UNUSED = 5

/** The vocabulary of a GGUF file. */
export interface GgufVocabulary {
  readonly model: 'gpt2' | 'llama'
  readonly pre: string
  /** By id; holes are ids without a token. */
  readonly tokens: readonly (string | undefined)[]
  readonly merges: readonly string[]
  readonly scores: ArrayLike<number>
  readonly types: ArrayLike<number>
  readonly startTokenIds: readonly number[]
  readonly statedEnds: readonly StatedEnds[]
  readonly addsSpacePrefix: boolean
  readonly warnings: readonly string[]
}

/** @throws {ServiceError} `unavailable` when keys are missing, malformed or of an unsupported kind */
export function parseGgufVocabulary(metadata: ReadonlyMap<string, unknown>): GgufVocabulary {
  const { data, error } = Metadata.safeParse(Object.fromEntries([...metadata].filter(([key]) => key.startsWith('tokenizer.ggml.'))))
  if (error !== undefined) throw new ServiceError('unavailable', `the file's tokenizer cannot be read: ${z.prettifyError(error)}`)
  const model = data['tokenizer.ggml.model']
  const start = data['tokenizer.ggml.bos_token_id']
  const stated = data['tokenizer.ggml.pre']
  const pre = stated ?? 'default'
  const types = data['tokenizer.ggml.token_type'] ?? []
  const ends = (['eos', 'eot', 'eom'] as const).map(end => `tokenizer.ggml.${end}_token_id` as const)
  const addsStart = data['tokenizer.ggml.add_bos_token'] ?? (model === 'llama' || PRES_WITH_START.includes(pre))
  return {
    model,
    pre,
    tokens: data['tokenizer.ggml.tokens'].map((token, tokenId) => (types[tokenId] === UNUSED ? undefined : token)),
    merges: data['tokenizer.ggml.merges'] ?? [],
    scores: data['tokenizer.ggml.scores'] ?? [],
    types,
    startTokenIds: addsStart && start !== undefined ? [start] : [],
    statedEnds: ends.map(key => ({ source: key, tokenIds: [data[key] ?? []].flat() })),
    addsSpacePrefix: data['tokenizer.ggml.add_space_prefix'],
    warnings: model === 'gpt2' && stated === undefined ? [MISSING_PRE] : []
  }
}
