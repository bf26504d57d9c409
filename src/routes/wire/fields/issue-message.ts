import type { z } from 'zod'

type Issue = z.core.$ZodIssue
/** An issue as transforms report it. */
export type RawIssue = Exclude<Parameters<z.RefinementCtx['addIssue']>[0], string>

/**
 * `['stream_options', 'include_usage']` → `stream_options.include_usage`; `['tools', 2]` → `tools[2]`; empty for the
 * body itself.
 */
export function fieldName(path: Issue['path']): string {
  return path.reduce<string>((name, key) => {
    if (typeof key === 'number') return `${name}[${key}]`
    return name === '' ? String(key) : `${name}.${String(key)}`
  }, '')
}

/**
 * An issue in OpenAI's wording: field, bound, and value. Of strings and arrays only the length, so that a message never
 * contains a prompt.
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

/** An issue with a message of its own. `issueMessage` puts the name of the field before it. */
export function invalidValue(message: string, input: unknown, path: PropertyKey[] = []): RawIssue {
  return { code: 'invalid_value', values: [], message, input, path }
}

/** @param expected  with its article, for the error message */
export function invalidType(expected: string, input: unknown): RawIssue {
  return { code: 'invalid_type', expected: expected as z.core.$ZodInvalidTypeExpected, input }
}

/** A value as error messages show it: numbers and booleans as they are, other values by type and length. */
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
