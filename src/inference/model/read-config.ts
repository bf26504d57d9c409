import { readFile, stat } from 'node:fs/promises'
import { z } from 'zod'
import { ModelFileError } from '../weights/model-file-error.ts'

/** Real ones have 1 to 5 KB. */
const CONFIG_BYTES = 2 ** 20

const ModelType = z.object({ model_type: z.string().max(100) })

/** Sizes that a checkpoint's config.json may claim: beyond them it is hostile or not ours. */
export const Size = z.int().positive().max(1_048_576)
export const Layers = z.int().positive().max(1024)
export const Context = z
  .int()
  .positive()
  .max(2 ** 20)

/** @throws {ModelFileError} missing, not JSON, or without the field */
export async function readModelType(path: string): Promise<string> {
  return (await readConfig(path, ModelType)).model_type
}

/**
 * A checkpoint's config.json, as far as the schema reads it.
 *
 * @throws {ModelFileError} missing, not JSON, or not as the schema says
 */
export async function readConfig<Config>(path: string, schema: z.ZodType<Config>): Promise<Config> {
  const parsed = schema.safeParse(await readJson(path))
  if (parsed.success) return parsed.data
  throw new ModelFileError(`${path}: ${z.prettifyError(parsed.error).replaceAll(/\s+/g, ' ')}`)
}

async function readJson(path: string): Promise<unknown> {
  try {
    const { size } = await stat(path)
    if (size > CONFIG_BYTES) throw new Error(`it has ${size} bytes, at most ${CONFIG_BYTES} are allowed`)
    return JSON.parse(await readFile(path, 'utf8'))
  } catch (cause) {
    throw new ModelFileError(`${path}: cannot be read (${cause instanceof Error ? cause.message : String(cause)})`, { cause })
  }
}
