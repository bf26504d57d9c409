import { readFile, stat } from 'node:fs/promises'
import { z } from 'zod'
import { ModelFileError } from '../../weights/model-file-error.ts'

/** Real ones have 1 to 5 KB. */
const CONFIG_BYTES = 2 ** 20

/** Characters of a refused value in a message. */
const SHOWN = 100

/** Bounds of what config.json may claim: beyond them it is hostile or not ours. */
export const Size = z.int().positive().max(1_048_576)
export const Layers = z.int().positive().max(1024)
export const HeadDim = z.int().positive().max(1024)
export const Context = z
  .int()
  .positive()
  .max(2 ** 20)
export const Positive = z.number().positive()

/**
 * An object of config.json. Fields that `shape` does not name are not read.
 * As in transformers, a field that is null counts as absent, unless its own schema takes null.
 *
 * @param spellings  other names that a field has had
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

/** @throws {ModelFileError} missing, too large or not JSON */
export async function readConfigJson(path: string): Promise<unknown> {
  try {
    const { size } = await stat(path)
    if (size > CONFIG_BYTES) throw new Error(`it has ${size} bytes, at most ${CONFIG_BYTES} are allowed`)
    return JSON.parse(await readFile(path, 'utf8'))
  } catch (cause) {
    throw new ModelFileError(`${path}: cannot be read (${cause instanceof Error ? cause.message : String(cause)})`, { cause })
  }
}

/** @throws {ModelFileError} not as the schema says: it names the file, each field and its value */
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
