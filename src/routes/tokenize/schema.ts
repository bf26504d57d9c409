import { z } from 'zod'

const ids = z.array(z.int().min(0))

export const TokenizedSchema = z
  .strictObject({ tokens: ids, count: z.int().min(0), max_model_len: z.int(), token_strs: z.array(z.string()).optional() })
  .meta({ id: 'Tokenized' })

export const DetokenizedSchema = z.strictObject({ prompt: z.string() }).meta({ id: 'Detokenized' })

export const TokenizerInfoSchema = z
  .strictObject({
    tokenizer_class: z.string(),
    bos_token: z.string().nullable(),
    eos_token: z.string().nullable(),
    pad_token: z.string().nullable(),
    chat_template: z.string().nullable(),
    vocab_size: z.int(),
    model_max_length: z.int()
  })
  .meta({ id: 'TokenizerInfo' })

export const RenderedSchema = z
  .strictObject({
    object: z.literal('list'),
    model: z.string(),
    data: z.array(z.strictObject({ index: z.int(), prompt: z.string(), token_ids: ids, count: z.int() })),
    max_model_len: z.int()
  })
  .meta({ id: 'Rendered', description: 'What the model would be prompted with.' })
