import { readServeConfig } from '../../src/server/config/serve-config.ts'
import { resolveModel } from '../../src/server/download/fetch-model.ts'

const SILENT = { line: () => {}, problem: () => {}, progress: () => ({ update: () => {}, end: () => {} }) }

/** Where the default model's weights are; downloaded by the product's own code if they are not there yet. */
export async function defaultModelFile(): Promise<string> {
  const { path } = await resolveModel(readServeConfig([], { ...process.env, MODEL: undefined }), SILENT)
  return path
}
