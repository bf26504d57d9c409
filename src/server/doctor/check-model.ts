import { stat } from 'node:fs/promises'
import { prepareModel } from '../../inference/model/prepare-model.ts'
import type { PreparedModel } from '../../inference/model/prepared-model.ts'
import { ModelFileError } from '../../inference/weights/model-file-error.ts'
import type { DoctorConfig } from '../config/doctor-config.ts'
import { ExitError } from '../config/exit-error.ts'
import { graphsFolder } from '../config/load-config.ts'
import { checkFile } from '../download/checksum.ts'
import { locateModel, type ModelLocation } from '../download/locate-model.ts'
import { megabytes } from '../download/reporter.ts'
import { measuredQuality } from '../measured-quality.ts'
import { type Finding, ok, problem } from './finding.ts'

export interface ModelCheck {
  readonly findings: readonly Finding[]
  /** null: missing or unusable. */
  readonly model: PreparedModel | null
}

/** Checks that the model is present and intact, and that its graph can be built; downloads nothing. */
export async function checkModel({ model, modelsFolder, quantization, cacheType }: DoctorConfig): Promise<ModelCheck> {
  try {
    const location = await locateModel(model, modelsFolder, `--model ${model}`)
    const file = await checkContent(location)
    if (file.state === 'problem') return { findings: [file], model: null }
    const prepared = await prepareModel({ path: location.path, quantization, cacheType, cacheFolder: graphsFolder(modelsFolder) })
    const graph = ok('graph', `built (${prepared.architecture}, ${prepared.parameters.toLocaleString('en-US')} parameters)`)
    const quality = measuredQuality(prepared).map(each => ok('quality', each))
    return { findings: [file, graph, ...quality], model: prepared }
  } catch (error) {
    if (error instanceof ExitError) return failed(error.message, 'npx everstream models list')
    if (error instanceof ModelFileError) return failed(error.message, 'npx everstream models verify, or another --model')
    throw error
  }
}

async function checkContent({ name, path, listed }: ModelLocation): Promise<Finding> {
  if (listed === null) return ok('model', `${name}: ${path} (not in the catalogue, so there is no checksum to verify)`)
  const pull = `npx everstream models pull ${name}`
  switch (await checkFile(path, listed, 'hash', new AbortController().signal)) {
    case 'missing':
      return problem('model', `${name} is not downloaded (${megabytes(listed.bytes)}; the first start downloads it)`, pull)
    case 'damaged':
      return problem('model', `${name} is damaged: ${path} (${(await stat(path)).size} bytes) has the wrong size or checksum`, pull)
    case 'verified':
      return ok('model', `${name}, checksum verified`)
  }
}

function failed(message: string, todo: string): ModelCheck {
  return { findings: [problem('model', message, todo)], model: null }
}
