import { ServiceError } from '../contract/errors.ts'

const BYTE_LEVEL_GPT2 = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true }
const BYTE_LEVEL = { ...BYTE_LEVEL_GPT2, use_regex: false }

const split = (pattern: string): object => ({ type: 'Split', pattern: { Regex: pattern }, behavior: 'Isolated', invert: false })
const sequence = (...pretokenizers: object[]): object => ({ type: 'Sequence', pretokenizers })

const LLAMA3 =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
const QWEN2 = LLAMA3.replace('\\p{N}{1,3}', '\\p{N}')

/** How a text falls into words, for each name that GGUF files use in `tokenizer.ggml.pre`; as the models' own tokenizer.json files say. */
const PRE_TOKENIZERS: Readonly<Record<string, object>> = {
  default: BYTE_LEVEL_GPT2,
  'gpt-2': BYTE_LEVEL_GPT2,
  smollm: sequence({ type: 'Digits', individual_digits: true }, BYTE_LEVEL_GPT2),
  'llama-bpe': sequence(split(LLAMA3), BYTE_LEVEL),
  qwen2: sequence(split(QWEN2), BYTE_LEVEL)
}

/** @throws {ServiceError} `unavailable` for a name that is not in the table: a guess would give wrong ids in silence */
export function preTokenizerOf(name: string): object {
  const known = Object.hasOwn(PRE_TOKENIZERS, name) ? PRE_TOKENIZERS[name] : undefined
  if (known !== undefined) return known
  throw new ServiceError(
    'unavailable',
    `tokenizer.ggml.pre is ${JSON.stringify(name)}: served are ${Object.keys(PRE_TOKENIZERS).join(', ')}`
  )
}
