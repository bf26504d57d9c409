import { stat } from 'node:fs/promises'
import { prepareModel } from '../../inference/model/prepare-model.ts'
import type { PreparedModel } from '../../inference/model/prepared-model.ts'
import { ModelFileError } from '../../inference/weights/model-file-error.ts'
import type { DoctorConfig } from '../config/doctor-config.ts'
import { ExitError } from '../config/exit-error.ts'
import { graphsFolder } from '../config/graphs-folder.ts'
import { checkFile } from '../download/checksum.ts'
import { locateModel, type ModelLocation } from '../download/locate-model.ts'
import { megabytes } from '../download/reporter.ts'
import { type Finding, ok, problem } from './finding.ts'

export interface ModelCheck {
  readonly findings: readonly Finding[]
  /** null: there is none to go on with. */
  readonly model: PreparedModel | null
}

/** Whether the model is here and right, and its graph can be built; fetches nothing. */
export async function checkModel({ model, modelsFolder, quantization }: DoctorConfig): Promise<ModelCheck> {
  try {
    const location = await locateModel(model, modelsFolder, `--model ${model}`)
    const file = await checkContent(location)
    if (file.state === 'problem') return { findings: [file], model: null }
    const prepared = await prepareModel({ path: location.path, quantization, cacheFolder: graphsFolder(modelsFolder) })
    const graph = ok('graph', `built (${prepared.architecture}, ${prepared.parameters.toLocaleString('en-US')} parameters)`)
    return { findings: [file, graph], model: prepared }
  } catch (error) {
    if (error instanceof ExitError) return failed(error.message, 'npx everstream models list')
    if (error instanceof ModelFileError) return failed(error.message, 'npx everstream models verify, or give another --model')
    throw error
  }
}

async function checkContent({ name, path, listed }: ModelLocation): Promise<Finding> {
  if (listed === null) return ok('model', `${name}: ${path} (not of the catalogue: there is no checksum to compare)`)
  const pull = `npx everstream models pull ${name}`
  switch (await checkFile(path, listed, 'hash', new AbortController().signal)) {
    case 'missing':
      return problem('model', `${name} is not here (${megabytes(listed.bytes)}; the first start fetches it)`, pull)
    case 'damaged':
      return problem('model', `${name} is damaged: ${path} has ${(await stat(path)).size} bytes and not the right checksum`, pull)
    case 'verified':
      return ok('model', `${name} is here, and its checksum is right`)
  }
}

function failed(message: string, todo: string): ModelCheck {
  return { findings: [problem('model', message, todo)], model: null }
}
