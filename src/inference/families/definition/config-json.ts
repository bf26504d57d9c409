import { z } from 'zod'
import { readJsonFile } from '../../weights/json-file.ts'
import { ModelFileError } from '../../weights/model-file-error.ts'

/** Largest accepted config.json. Published ones have 1 to 5 KB. */
const CONFIG_BYTES = 2 ** 20

/** Most characters of a rejected value in a message. */
const SHOWN = 100

/** Bounds of the values in config.json, above those of all published models. */
export const Size = z.int().positive().max(1_048_576)
export const Layers = z.int().positive().max(1024)
export const HeadDim = z.int().positive().max(1024)
export const Context = z
  .int()
  .positive()
  .max(2 ** 20)
export const Positive = z.number().positive()

/**
 * The schema of an object in config.json. Fields that `shape` does not contain are ignored.
 * As in transformers, a field that is null counts as absent, unless its schema accepts null.
 *
 * @param spellings  alternative names of a field
 */
export function fields<Shape extends z.ZodRawShape>(shape: Shape, spellings: Readonly<Record<string, readonly string[]>> = {}) {
  const takesNull = new Map(Object.entries(shape).map(([name, schema]) => [name, z.safeParse(schema, null).success]))
  return z.preprocess(json => {
    if (typeof json !== 'object' || json === null || Array.isArray(json)) return json
    const given = new Map<string, unknown>(Object.entries(json))
    const read = Object.keys(shape).map(name => {
      const values = [name, ...(spellings[name] ?? [])].map(spelling => given.get(spelling))
      return [name, values.find(value => value !== undefined && (value !== null || takesNull.get(name)))] as const
    })
    return Object.fromEntries(read.filter(([, value]) => value !== undefined))
  }, z.object(shape))
}

/** @throws {ModelFileError} the errors of `readJsonFile` */
export async function readConfigJson(path: string): Promise<unknown> {
  return readJsonFile(path, CONFIG_BYTES)
}

/** @throws {ModelFileError} the schema rejects it: the message names the file, each invalid field and its value */
export function parseConfigJson<Config>(path: string, json: unknown, schema: z.ZodType<Config>): Config {
  const parsed = schema.safeParse(json, { reportInput: true })
  if (parsed.success) return parsed.data
  throw new ModelFileError(`${path}: ${parsed.error.issues.map(describeIssue).join('; ')}`)
}

function describeIssue(issue: z.core.$ZodIssue): string {
  const name = issue.path.length === 0 ? 'the file' : issue.path.join('.')
  if (issue.input === undefined) return `${name} is missing`
  const value = JSON.stringify(issue.input).slice(0, SHOWN)
  if (issue.code === 'invalid_value') return `${name} is ${value}, must be ${issue.values.map(each => JSON.stringify(each)).join(' or ')}`
  return `${name} is ${value}: ${issue.message}`
}
