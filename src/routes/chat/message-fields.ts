import { z } from 'zod'
import { describe } from '../wire/issue-message.ts'
import { depthFault } from '../wire/json-depth.ts'

const ROLES = ['system', 'developer', 'user', 'assistant', 'tool'] as const

/** `content`: a string, null, or parts of which we read the text; behind this line always a string. */
const contentField = z
  .unknown()
  .optional()
  .transform((value, context): string => {
    const fault = (path: (string | number)[], message: string, input: unknown): never => {
      context.addIssue({ code: 'invalid_value', values: [], path, message, input })
      return z.NEVER
    }
    if (value === undefined || value === null) return ''
    if (typeof value === 'string') return value
    if (!Array.isArray(value)) return fault([], `expected a string or an array of content parts, but got ${describe(value)} instead`, value)
    const texts: string[] = []
    for (const [index, part] of (value as readonly unknown[]).entries()) {
      const { type, text } = Part.safeParse(part).data ?? {}
      if (type !== 'text') return fault([index, 'type'], `this model reads text only. Expected 'text'${got(type)}`, type)
      if (typeof text !== 'string') return fault([index, 'text'], `expected a string, but got ${describe(text)} instead`, text)
      texts.push(text)
    }
    return texts.join('\n')
  })
  .meta({
    description: 'A text, or parts of type `text`.',
    default: null,
    anyOf: [
      { type: 'string' },
      {
        type: 'array',
        items: { type: 'object', properties: { type: { const: 'text' }, text: { type: 'string' } }, required: ['type', 'text'] }
      },
      { type: 'null' }
    ]
  })

const Part = z.looseObject({ type: z.unknown().optional(), text: z.unknown().optional() })

function got(type: unknown): string {
  return typeof type === 'string' && /^[a-z_]{1,32}$/.test(type) ? `, but got '${type}' instead` : ''
}

/** `arguments` of an earlier call: JSON, and here what it says, since templates write it as JSON themselves. */
const argumentsField = z.string().transform((value, context): unknown => {
  if (value.trim() === '') return {}
  let parsed: unknown
  try {
    parsed = JSON.parse(value)
  } catch {
    context.addIssue({ code: 'invalid_value', values: [], message: `expected JSON, but got ${describe(value)} instead`, input: value })
    return z.NEVER
  }
  const fault = depthFault(value)
  if (fault === null) return parsed
  context.addIssue({ code: 'invalid_value', values: [], message: fault, input: value })
  return z.NEVER
})

const toolCall = z.looseObject({
  id: z.string().optional(),
  type: z.literal('function').default('function'),
  function: z.looseObject({ name: z.string(), arguments: argumentsField })
})

/** `messages` of the chat API. */
export const messagesField = z
  .array(
    z.looseObject({
      role: z.enum(ROLES),
      content: contentField,
      name: z.string().nullish(),
      tool_call_id: z.string().nullish(),
      tool_calls: z.array(toolCall).nullish()
    })
  )
  .min(1)
export type ChatMessages = z.output<typeof messagesField>

/** `tools`: what a model may call; their parameters are the template's business. */
export const toolsField = z.array(z.looseObject({ type: z.literal('function'), function: z.looseObject({ name: z.string().min(1) }) }))
