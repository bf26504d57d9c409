import { z } from 'zod'
import type { Wire } from '../wire/response/wire-type.ts'

const ids = z.array(z.int().min(0))
const maxModelLength = z.int().describe('Maximum number of tokens of prompt and completion together.')

export const TokenizedSchema = z
  .strictObject({
    tokens: ids.describe('The token ids.'),
    count: z.int().min(0).describe('Number of tokens.'),
    max_model_len: maxModelLength,
    token_strs: z.array(z.string()).optional().describe('With `return_token_strs`: the text of each token.')
  })
  .meta({ id: 'Tokenized', description: 'Token ids of a text or conversation.' })
export type Tokenized = Wire<typeof TokenizedSchema>

export const DetokenizedSchema = z
  .strictObject({ prompt: z.string().describe('The text of the tokens.') })
  .meta({ id: 'Detokenized', description: 'Text of token ids.' })
export type Detokenized = Wire<typeof DetokenizedSchema>

export const TokenizerInfoSchema = z
  .strictObject({
    tokenizer_class: z.string().describe('Always `everstream`.'),
    bos_token: z.string().nullable().describe('Start-of-sequence token.'),
    eos_token: z.string().nullable().describe('End-of-sequence token.'),
    pad_token: z.string().nullable().describe('Padding token.'),
    chat_template: z.string().nullable().describe('Jinja template of conversations.'),
    vocab_size: z.int().describe('Number of tokens in the vocabulary.'),
    model_max_length: maxModelLength
  })
  .meta({ id: 'TokenizerInfo', description: 'Facts about the tokenizer.' })
export type TokenizerInfo = Wire<typeof TokenizerInfoSchema>

export const RenderedSchema = z
  .strictObject({
    object: z.literal('list'),
    model: z.string().describe('Name of the model.'),
    data: z
      .array(
        z.strictObject({
          index: z.int().describe('Index of the prompt.'),
          prompt: z.string().describe('Text of the prompt, with special tokens.'),
          token_ids: ids.describe('Token ids of the prompt.'),
          count: z.int().describe('Number of tokens.')
        })
      )
      .describe('The prompts.'),
    max_model_len: maxModelLength
  })
  .meta({ id: 'Rendered', description: 'The prompts that the model would receive.' })
export type Rendered = Wire<typeof RenderedSchema>
