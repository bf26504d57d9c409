import type { z } from 'zod'

type Issue = z.core.$ZodIssue

/**
 * `['stream_options', 'include_usage']` → `stream_options.include_usage`; `['stop', 2]` → `stop[2]`; empty for the body
 * itself.
 */
export function fieldName(path: Issue['path']): string {
  return path.reduce<string>((name, key) => {
    if (typeof key === 'number') return `${name}[${key}]`
    return name === '' ? String(key) : `${name}.${String(key)}`
  }, '')
}

/**
 * One mistake in OpenAI's words: field, bound, and the value (of texts and arrays the length only: a message never
 * carries a prompt).
 */
export function issueMessage(issue: Issue): string {
  const field = fieldName(issue.path)
  switch (issue.code) {
    case 'invalid_type':
      if (field === '') return `The request body must be a JSON object, but got ${describe(issue.input)} instead.`
      return `Invalid type for '${field}': expected ${EXPECTED[issue.expected] ?? issue.expected}, but got ${describe(issue.input)} instead.`
    case 'too_big':
      return `Invalid '${field}': ${outOfBounds(issue.origin, 'maximum', issue.inclusive === false ? '<' : '<=', issue.maximum, issue.input)}`
    case 'too_small':
      return `Invalid '${field}': ${outOfBounds(issue.origin, 'minimum', issue.inclusive === false ? '>' : '>=', issue.minimum, issue.input)}`
    case 'invalid_format':
      return `Invalid '${field}': ${issue.message}, but got ${describe(issue.input)} instead.`
    case 'custom':
      return issue.message
    default:
      return `Invalid '${field}': ${issue.message}.`
  }
}

/** A value as a message may show it: numbers and booleans themselves, of all else only what it is. */
export function describe(value: unknown): string {
  if (value === null) return 'null'
  if (value === undefined) return 'nothing'
  if (Array.isArray(value)) return `an array of length ${value.length}`
  switch (typeof value) {
    case 'number':
    case 'boolean':
      return String(value)
    case 'string':
      return `a string of length ${value.length}`
    default:
      return 'an object'
  }
}

const EXPECTED: Readonly<Record<string, string>> = {
  int: 'an integer',
  number: 'a decimal',
  boolean: 'a boolean',
  string: 'a string',
  array: 'an array',
  object: 'an object',
  record: 'an object',
  null: 'null'
}

function outOfBounds(origin: string, side: 'maximum' | 'minimum', sign: string, bound: number | bigint, input: unknown): string {
  if (origin === 'string' || origin === 'array') {
    const fault = `${origin} too ${side === 'maximum' ? 'long' : 'short'}`
    return `${fault}. Expected ${side} length ${bound}, but got ${describe(input)} instead.`
  }
  const fault = side === 'maximum' ? 'above maximum value' : 'below minimum value'
  return `${fault}. Expected a value ${sign} ${bound}, but got ${describe(input)} instead.`
}
