import { z } from 'zod'
import { LIMITS } from '../../inference/contract/limits.ts'
import { inputJsonSchema } from '../wire/fields/input-json-schema.ts'
import { describe } from '../wire/fields/issue-message.ts'
import { holdsTooMuch, jsonFault } from '../wire/fields/json-bounds.ts'
import { listField } from '../wire/fields/list-field.ts'

const ROLES = ['system', 'developer', 'user', 'assistant', 'tool', 'function'] as const

const Part = z.object({ type: z.unknown().optional(), text: z.unknown().optional(), refusal: z.unknown().optional() })

/** A part of type `text`, or of type `refusal`, which is what an assistant wrote instead of a text. */
const partField = z
  .unknown()
  .transform((value, context): string => {
    const fault = (path: string, message: string, input: unknown): never => {
      context.addIssue({ code: 'invalid_value', values: [], path: [path], message, input })
      return z.NEVER
    }
    const { type, ...part } = Part.safeParse(value).data ?? {}
    if (type !== 'text' && type !== 'refusal') return fault('type', `this model reads text only. Expected 'text'${got(type)}`, type)
    const text = part[type]
    if (typeof text !== 'string') return fault(type, `expected a string, but got ${describe(text)} instead`, text)
    return text
  })
  .meta({
    anyOf: [
      { type: 'object', properties: { type: { const: 'text' }, text: { type: 'string' } }, required: ['type', 'text'] },
      { type: 'object', properties: { type: { const: 'refusal' }, refusal: { type: 'string' } }, required: ['type', 'refusal'] }
    ]
  })

function got(type: unknown): string {
  return typeof type === 'string' && /^[a-z_]{1,32}$/.test(type) ? `, but got '${type}' instead` : ''
}

const partsField = listField(partField, { maximum: LIMITS.contentParts })

/** `content`: a string, null, or parts; behind this line always a string. */
const contentField = z
  .unknown()
  .optional()
  .transform((value, context): string => {
    if (value === undefined || value === null) return ''
    if (typeof value === 'string') return value
    if (!Array.isArray(value)) {
      const message = `expected a string or an array of content parts, but got ${describe(value)} instead`
      context.addIssue({ code: 'invalid_value', values: [], message, input: value })
      return z.NEVER
    }
    const { data = [], error } = partsField.safeParse(value, { reportInput: true })
    for (const issue of error?.issues ?? []) context.addIssue({ ...issue })
    return data.join('\n')
  })
  .meta({
    description: 'A text, or parts of type `text`.',
    default: null,
    anyOf: [{ type: 'string' }, inputJsonSchema(partsField), { type: 'null' }]
  })

/**
 * JSON, as the model wrote it: cut off where `max_tokens` ended it, so that any string is taken but JSON beyond all
 * bounds.
 */
const argumentsField = z.string().superRefine((value, context) => {
  const fault = jsonFault(value)
  if (fault === null || (!holdsTooMuch(value) && !isJson(value))) return
  context.addIssue({ code: 'invalid_value', values: [], message: fault, input: value })
})

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

const calledFunction = z.object({ name: z.string(), arguments: argumentsField })

const toolCall = z.object({
  id: z.string().nullish(),
  type: z.literal('function').default('function'),
  function: calledFunction
})

/** `messages` of the chat API. */
export const messagesField = listField(
  z.object({
    role: z.enum(ROLES),
    content: contentField,
    refusal: z.string().nullish().describe('What an assistant wrote instead of a content.'),
    name: z.string().nullish(),
    tool_call_id: z.string().nullish(),
    tool_calls: listField(toolCall, { maximum: LIMITS.toolCallsPerMessage }).nullish(),
    function_call: calledFunction.nullish().describe('The older form of `tool_calls`.')
  }),
  { minimum: 1, maximum: LIMITS.messages }
)
export type ChatMessages = z.output<typeof messagesField>

/** `tools`: what a model may call; their parameters are the template's business. */
export const toolsField = listField(z.looseObject({ type: z.literal('function'), function: z.looseObject({ name: z.string().min(1) }) }), {
  maximum: LIMITS.tools
})

/** `tool_choice`: what it may be is said where the tools are known (`usesTools`). */
export const toolChoiceField = z
  .unknown()
  .optional()
  .meta({ description: 'Whether tools may be called: `none` or `auto`.', enum: ['auto', 'none', null], default: 'auto' })
