import { readServeConfig } from '../../src/server/config/serve-config.ts'
import { resolveModel } from '../../src/server/download/fetch-model.ts'

const SILENT = { line: () => {}, problem: () => {}, progress: () => ({ update: () => {}, end: () => {} }) }

/** Path of the default model's weights; the program's own code downloads them if they are missing. */
export async function defaultModelFile(): Promise<string> {
  const { path } = await resolveModel(readServeConfig([], { ...process.env, MODEL: undefined }), SILENT)
  return path
}
