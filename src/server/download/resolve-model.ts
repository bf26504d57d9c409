import type { ServeConfig } from '../config/serve-config.ts'
import { fetchModel } from './fetch-model.ts'
import { locateModel, type ModelLocation } from './locate-model.ts'
import type { Reporter } from './reporter.ts'

/**
 * Finds what `--model` means, and fetches it if need be.
 *
 * @throws {ExitError} 2, there is no such model; 1, it could not be fetched
 */
export async function resolveModel(
  { model, modelsFolder, network }: Pick<ServeConfig, 'model' | 'modelsFolder' | 'network'>,
  reporter: Reporter,
  signal: AbortSignal = new AbortController().signal
): Promise<ModelLocation> {
  const location = await locateModel(model, modelsFolder, `--model ${model}`)
  if (location.listed !== null) await fetchModel(location.listed, { modelsFolder, network, reporter, signal })
  return location
}
