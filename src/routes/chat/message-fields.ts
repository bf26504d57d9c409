import { z } from 'zod'
import { LIMITS } from '../../inference/contract/limits.ts'
import { inputJsonSchema } from '../wire/fields/input-json-schema.ts'
import { describe, invalidValue } from '../wire/fields/issue-message.ts'
import { listField } from '../wire/fields/list-field.ts'
import { isTooLarge, jsonFault, parseJson } from '../wire/json/json-bounds.ts'

const ROLES = ['system', 'developer', 'user', 'assistant', 'tool', 'function'] as const

const Part = z.object({ type: z.unknown().optional(), text: z.unknown().optional(), refusal: z.unknown().optional() })

/** A part of type `text`, or of type `refusal` in messages of the assistant. */
const partField = z
  .unknown()
  .transform((value, context): string => {
    const fault = (path: string, message: string, input: unknown): never => {
      context.addIssue(invalidValue(message, input, [path]))
      return z.NEVER
    }
    const { type, ...part } = Part.safeParse(value).data ?? {}
    if (type !== 'text' && type !== 'refusal') return fault('type', `only text is supported. Expected 'text'${got(type)}`, type)
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

/** `content`: a string, null, or a list of parts. The output is always a string. */
const contentField = z
  .unknown()
  .optional()
  .transform((value, context): string => {
    if (value === undefined || value === null) return ''
    if (typeof value === 'string') return value
    if (!Array.isArray(value)) {
      const message = `expected a string or an array of content parts, but got ${describe(value)} instead`
      context.addIssue(invalidValue(message, value))
      return z.NEVER
    }
    const { data = [], error } = partsField.safeParse(value, { reportInput: true })
    for (const issue of error?.issues ?? []) context.addIssue({ ...issue })
    return data.join('\n')
  })
  .meta({
    description: 'The text of the message, or a list of parts of type `text`.',
    default: null,
    anyOf: [{ type: 'string' }, inputJsonSchema(partsField), { type: 'null' }]
  })

/**
 * JSON as a model generated it, which may be cut off by `max_tokens`: every string is accepted, except valid JSON
 * beyond the bounds.
 */
const argumentsField = z.string().superRefine((value, context) => {
  const fault = jsonFault(value)
  if (fault === null || (!isTooLarge(value) && parseJson(value) === undefined)) return
  context.addIssue(invalidValue(fault, value))
})

const calledFunction = z.object({ name: z.string(), arguments: argumentsField })

const toolCall = z.object({
  id: z.string().nullish(),
  type: z.literal('function').default('function'),
  function: calledFunction
})

/** `messages` of the chat API. */
export const messagesField = listField(
  z.object({
    role: z.enum(ROLES).describe('Role of the author of the message.'),
    content: contentField,
    refusal: z.string().nullish().describe('The refusal of the assistant, instead of content.'),
    name: z.string().nullish().describe('Name of the author, or of the function in messages of tools.'),
    tool_call_id: z.string().nullish().describe('Identifier of the tool call that the message answers.'),
    tool_calls: listField(toolCall, { maximum: LIMITS.toolCallsPerMessage }).nullish(),
    function_call: calledFunction.nullish().describe('Deprecated in favor of `tool_calls`.')
  }),
  { minimum: 1, maximum: LIMITS.messages }
)
export type ChatMessages = z.output<typeof messagesField>

/** `tools`: the functions that the model may call. Only the chat template reads their parameters. */
export const toolsField = listField(z.looseObject({ type: z.literal('function'), function: z.looseObject({ name: z.string().min(1) }) }), {
  maximum: LIMITS.tools
})

/** `tool_choice`: its value is checked together with the tools (`usesTools`). */
export const toolChoiceField = z
  .unknown()
  .optional()
  .meta({
    description: '`auto`: the model decides whether it calls tools; `none`: it calls none.',
    enum: ['auto', 'none', null],
    default: 'auto'
  })
