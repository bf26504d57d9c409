import { z } from 'zod'
import { ServiceError } from '../contract/errors.ts'
import { HubJsonTokenizer } from './hub-tokenizer.ts'
import { preTokenizerOf } from './pre-tokenizers.ts'
import type { Tokenizer } from './tokenizer.ts'

/** `tokenizer.ggml.token_type` of control tokens, such as `<|im_end|>`, and of tokens that users define. Source: ggml's GGUF specification. */
const CONTROL = 3
const USER_DEFINED = 4

const Strings = z.custom<readonly string[]>(value => Array.isArray(value) && value.every(item => typeof item === 'string'))
const Numbers = z.custom<ArrayLike<number>>(value => Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView)))
const TokenId = z.coerce.number().int().min(0).optional()

const Metadata = z.object({
  'tokenizer.ggml.model': z.string(),
  'tokenizer.ggml.pre': z.string().default('default'),
  'tokenizer.ggml.tokens': Strings,
  'tokenizer.ggml.merges': Strings.optional(),
  'tokenizer.ggml.token_type': Numbers.optional(),
  'tokenizer.ggml.bos_token_id': TokenId,
  'tokenizer.ggml.eos_token_id': TokenId,
  'tokenizer.ggml.eot_token_id': TokenId,
  'tokenizer.ggml.add_bos_token': z.boolean().default(false)
})
type Metadata = z.infer<typeof Metadata>

/**
 * The tokenizer inside a GGUF file: byte-level BPE (`gpt2`).
 *
 * @param metadata  the file's key/value pairs; those of `tokenizer.ggml.` are read
 * @throws {ServiceError} `unavailable` when they are missing, malformed or of a kind that we do not know
 */
export function tokenizerFromGguf(metadata: ReadonlyMap<string, unknown>): Tokenizer {
  const { data, error } = Metadata.safeParse(Object.fromEntries(metadata))
  if (error !== undefined) throw new ServiceError('unavailable', `the file's tokenizer cannot be read: ${z.prettifyError(error)}`)
  const model = data['tokenizer.ggml.model']
  if (model !== 'gpt2') throw new ServiceError('unavailable', `tokenizer.ggml.model is ${JSON.stringify(model)}: only "gpt2" is served`)
  const tokens = data['tokenizer.ggml.tokens']
  const bos = data['tokenizer.ggml.add_bos_token'] ? data['tokenizer.ggml.bos_token_id'] : undefined
  return new HubJsonTokenizer({
    tokenizer: {
      version: '1.0',
      added_tokens: addedTokens(data),
      normalizer: null,
      pre_tokenizer: preTokenizerOf(data['tokenizer.ggml.pre']),
      post_processor: bos === undefined ? null : startWith(bos, tokens[bos] ?? ''),
      decoder: { type: 'ByteLevel' },
      model: {
        type: 'BPE',
        vocab: Object.fromEntries(tokens.map((token, tokenId) => [token, tokenId])),
        merges: data['tokenizer.ggml.merges'] ?? [],
        unk_token: null,
        ignore_merges: data['tokenizer.ggml.pre'] === 'llama-bpe'
      }
    },
    config: {},
    vocabularySize: tokens.length,
    endTokenIds: [data['tokenizer.ggml.eos_token_id'], data['tokenizer.ggml.eot_token_id']].filter(tokenId => tokenId !== undefined),
    alphabet: 'byte-level'
  })
}

function addedTokens(data: Metadata): object[] {
  const types = data['tokenizer.ggml.token_type']
  return data['tokenizer.ggml.tokens'].flatMap((content, id) => {
    const type = types?.[id]
    if (type !== CONTROL && type !== USER_DEFINED) return []
    return [{ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: type === CONTROL }]
  })
}

/** The start token before every text. */
function startWith(id: number, token: string): object {
  return {
    type: 'TemplateProcessing',
    single: [{ SpecialToken: { id: token, type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
    pair: [],
    special_tokens: { [token]: { id: token, ids: [id], tokens: [token] } }
  }
}
