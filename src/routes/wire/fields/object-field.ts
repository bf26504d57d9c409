import { z } from 'zod'

/** Any object, without a copy; a `z.record` or `z.looseObject` would copy all fields. */
export function objectField() {
  return z
    .unknown()
    .transform((value, context): Readonly<Record<string, unknown>> => {
      if (isObject(value)) return value
      context.addIssue({ code: 'invalid_type', expected: 'object', input: value })
      return z.NEVER
    })
    .meta({ type: 'object' })
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
