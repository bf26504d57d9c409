import { z } from 'zod'

export const ModelSchema = z
  .strictObject({
    id: z.string(),
    object: z.literal('model'),
    created: z.int().describe('Unix seconds.'),
    owned_by: z.string(),
    max_model_len: z.int().describe('Tokens, prompt and continuation together.'),
    capabilities: z.strictObject({ completions: z.boolean(), chat: z.boolean(), tools: z.boolean(), suffix: z.boolean() })
  })
  .meta({ id: 'Model', description: 'The model of this server.' })

export const ModelListSchema = z.strictObject({ object: z.literal('list'), data: z.array(ModelSchema) }).meta({ id: 'ModelList' })
