import { join } from 'node:path'

/**
 * Where the graphs made of weights are kept: beside the models, so that one folder holds all that is fetched or built.
 */
export function graphsFolder(modelsFolder: string): string {
  return join(modelsFolder, '.graphs')
}
