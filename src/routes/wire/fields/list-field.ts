import { z } from 'zod'
import { inputJsonSchema } from './input-json-schema.ts'

export interface ListBounds {
  readonly minimum?: number
  readonly maximum: number
}

/**
 * An array of at most `maximum` items, which are read up to the first bad one. `z.array` reads all of them and collects
 * the issues of each: of a megabyte of bad items that takes seconds, and more stack than there is.
 */
export function listField<Item extends z.ZodType>(item: Item, { minimum = 0, maximum }: ListBounds) {
  return z
    .unknown()
    .transform((value, context): z.output<Item>[] => {
      if (!Array.isArray(value)) {
        context.addIssue({ code: 'invalid_type', expected: 'array', input: value })
        return z.NEVER
      }
      if (value.length < minimum || value.length > maximum) {
        const bound = value.length < minimum ? ({ code: 'too_small', minimum } as const) : ({ code: 'too_big', maximum } as const)
        context.addIssue({ ...bound, origin: 'array', inclusive: true, input: value })
        return z.NEVER
      }
      const items: z.output<Item>[] = []
      for (const [index, one] of value.entries()) {
        const { data, error } = item.safeParse(one, { reportInput: true })
        const issue = error?.issues[0]
        if (issue !== undefined) {
          context.addIssue({ ...issue, path: [index, ...issue.path] })
          return z.NEVER
        }
        items.push(data as z.output<Item>)
      }
      return items
    })
    .meta({ type: 'array', items: inputJsonSchema(item), ...(minimum > 0 && { minItems: minimum }), maxItems: maximum })
}
