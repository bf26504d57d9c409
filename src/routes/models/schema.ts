import { z } from 'zod'
import type { Wire } from '../wire/response/wire-type.ts'

export const ModelSchema = z
  .strictObject({
    id: z.string().describe('Name of the model.'),
    object: z.literal('model'),
    created: z.int().describe('Unix time in seconds at which the server started.'),
    owned_by: z.string().describe('Always `everstream`.'),
    max_model_len: z.int().describe('Maximum number of tokens of prompt and completion together.'),
    capabilities: z.strictObject({
      completions: z.boolean().describe('Whether /v1/completions is supported.'),
      chat: z.boolean().describe('Whether /v1/chat/completions is supported: the model has a chat template.'),
      tools: z.boolean().describe('Whether the chat template supports tools.'),
      suffix: z.boolean().describe('Whether the model supports fill-in-the-middle with `suffix`.')
    })
  })
  .meta({ id: 'Model', description: 'The model that this server serves.' })
export type Model = Wire<typeof ModelSchema>

export const ModelListSchema = z
  .strictObject({ object: z.literal('list'), data: z.array(ModelSchema) })
  .meta({ id: 'ModelList', description: 'The list of models.' })
export type ModelList = Wire<typeof ModelListSchema>
