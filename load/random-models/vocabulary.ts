import type { MetadataValue } from './gguf-header.ts'

/** Values of `tokenizer.ggml.token_type`. Source: ggml's GGUF specification. */
const NORMAL = 1
const CONTROL = 3

/** A space, as byte-level vocabularies write it. */
const SPACE = 'Ġ'
const LETTERS = [...'etaoinsrhldcumfpgwybvkxjqz']

/**
 * The tokenizer of a model of random weights: byte-level BPE with an end token, the 256 bytes, and lower-case strings
 * of growing length, so that English text has more than two letters per token.
 */
export function vocabularyMetadata(size: number): Readonly<Record<string, MetadataValue>> {
  const tokens = ['<|endoftext|>', ...byteCharacters()]
  const merges: string[] = []
  let shorter = [SPACE, ...LETTERS]
  while (tokens.length < size) {
    const longer = shorter.flatMap(start => LETTERS.map(letter => ({ token: start + letter, merge: `${start} ${letter}` })))
    for (const { token, merge } of longer.slice(0, size - tokens.length)) {
      tokens.push(token)
      merges.push(merge)
    }
    shorter = longer.map(({ token }) => token)
  }
  return {
    'tokenizer.ggml.model': { string: 'gpt2' },
    'tokenizer.ggml.pre': { string: 'gpt-2' },
    'tokenizer.ggml.tokens': { strings: tokens },
    'tokenizer.ggml.token_type': { i32s: tokens.map((_, id) => (id === 0 ? CONTROL : NORMAL)) },
    'tokenizer.ggml.merges': { strings: merges },
    'tokenizer.ggml.bos_token_id': { u32: 0 },
    'tokenizer.ggml.eos_token_id': { u32: 0 },
    'tokenizer.ggml.add_bos_token': { bool: false }
  }
}

/** GPT-2's characters for the 256 bytes: printable Latin-1 stands for itself, the others are shifted above 255. */
function byteCharacters(): readonly string[] {
  let shifted = 256
  return Array.from({ length: 256 }, (_, byte) => {
    const isPrintable = (byte > 32 && byte < 127) || (byte > 160 && byte !== 173)
    return String.fromCharCode(isPrintable ? byte : shifted++)
  })
}
