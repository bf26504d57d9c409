import type { FillInTheMiddle } from '../contract/text-port.ts'
import type { TextSource } from './model-files/text-source.ts'
import type { Tokenizer } from './tokenizer.ts'

/**
 * Tokens that precede the prefix, the suffix and the middle. Sources: the models' tokenizers (Qwen, StarCoder,
 * CodeGemma, DeepSeek, Granite).
 */
const KNOWN_TOKENS: readonly (readonly [prefix: string, suffix: string, middle: string])[] = [
  ['<|fim_prefix|>', '<|fim_suffix|>', '<|fim_middle|>'],
  ['<fim_prefix>', '<fim_suffix>', '<fim_middle>'],
  ['<fim-prefix>', '<fim-suffix>', '<fim-middle>'],
  ['<｜fim▁begin｜>', '<｜fim▁hole｜>', '<｜fim▁end｜>'],
  ['<PRE>', '<SUF>', '<MID>']
]

/** Keys of a GGUF file, the current ones first. Source: ggml's GGUF specification and llama.cpp, `llama-vocab.cpp`. */
const GGUF_NAMES: readonly (readonly [prefix: string, suffix: string, middle: string])[] = [
  ['fim_pre', 'fim_suf', 'fim_mid'],
  ['prefix', 'suffix', 'middle']
]

/** The tokens with which a model was trained to fill in the middle; null when it was not. */
export function fillInTheMiddleOf(source: TextSource, tokenizer: Tokenizer): FillInTheMiddle | null {
  const named = source.kind === 'gguf' ? GGUF_NAMES.map(names => names.map(name => tokenIdAt(source.metadata, name, tokenizer))) : []
  const known = KNOWN_TOKENS.map(tokens => tokens.map(token => tokenIdOf(tokenizer, token)))
  for (const [prefix, suffix, middle] of [...named, ...known]) {
    if (prefix != null && suffix != null && middle != null) return { prefix, suffix, middle }
  }
  return null
}

function tokenIdAt(metadata: ReadonlyMap<string, unknown>, name: string, { vocabularySize }: Tokenizer): number | null {
  const tokenId = metadata.get(`tokenizer.ggml.${name}_token_id`)
  return typeof tokenId === 'number' && tokenId >= 0 && tokenId < vocabularySize ? tokenId : null
}

/** Null unless the tokenizer encodes the text as a single token. */
function tokenIdOf(tokenizer: Tokenizer, token: string): number | null {
  const [tokenId, ...others] = tokenizer.encode(token, { addSpecialTokens: false })
  return tokenId !== undefined && others.length === 0 ? tokenId : null
}
