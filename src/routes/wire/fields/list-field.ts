import { z } from 'zod'
import { inputJsonSchema } from './input-json-schema.ts'
import { invalidType, type RawIssue } from './issue-message.ts'

export interface ListBounds {
  readonly minimum?: number
  readonly maximum: number
  /** What the error message for a value that is not a list expects; default: an array. */
  readonly expected?: string
}

/**
 * Reads an array of at most `maximum` items, up to the first bad one. `z.array` reads all items and collects the issues
 * of each: for a megabyte of bad items that takes seconds, and overflows the stack.
 *
 * @param readItem  appends the item to the list, or returns an issue
 */
export function readList<Item>(
  value: unknown,
  { minimum = 0, maximum, expected = 'array' }: ListBounds,
  readItem: (value: unknown, list: Item[]) => RawIssue | undefined
): Item[] | RawIssue {
  if (!Array.isArray(value)) return invalidType(expected, value)
  const size = { origin: 'array', inclusive: true, input: value } as const
  if (value.length < minimum) return { ...size, code: 'too_small', minimum }
  if (value.length > maximum) return { ...size, code: 'too_big', maximum }
  const list: Item[] = []
  for (const item of value) {
    const issue = readItem(item, list)
    if (issue !== undefined) return issue
  }
  return list
}

/** For transforms: returns the list; or adds the issue, and returns an empty list, which zod discards. */
export function listOrIssue<Item>(read: Item[] | RawIssue, context: z.RefinementCtx): Item[] {
  if (Array.isArray(read)) return read
  context.addIssue(read)
  return []
}

/** A list whose items have a schema. Issues name the item by its index. */
export function listField<Item extends z.ZodType>(item: Item, bounds: ListBounds) {
  const { minimum = 0, maximum } = bounds
  function readItem(value: unknown, list: z.output<Item>[]): RawIssue | undefined {
    const { data, error } = item.safeParse(value, { reportInput: true })
    const issue = error?.issues[0]
    if (issue !== undefined) return { ...issue, path: [list.length, ...issue.path] }
    list.push(data as z.output<Item>)
    return undefined
  }
  return z
    .unknown()
    .transform((value, context) => listOrIssue(readList(value, bounds, readItem), context))
    .meta({ type: 'array', items: inputJsonSchema(item), ...(minimum > 0 && { minItems: minimum }), maxItems: maximum })
}
