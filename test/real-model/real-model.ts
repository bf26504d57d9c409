import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import type { CacheType } from '../../src/inference/contract/cache-type.ts'
import type { ModelRunner } from '../../src/inference/contract/model-runner.ts'
import { prepareModel } from '../../src/inference/model/prepare-model.ts'
import type { PreparedModel, QuantizationChoice } from '../../src/inference/model/prepared-model.ts'
import { openModelRunner } from '../../src/inference/runtime/onnx-model-runner.ts'
import { readEnvironment } from '../../src/server/config/environment.ts'
import { graphsFolder } from '../../src/server/config/load-config.ts'
import { readServeConfig } from '../../src/server/config/serve-config.ts'
import { resolveModel } from '../../src/server/download/fetch-model.ts'

const SILENT = { line: () => {}, problem: () => {}, progress: () => ({ update: () => {}, end: () => {} }) }

/** The default model as the server would load it: downloaded once into the project's folder of models. */
export async function prepareDefaultModel(quantization: QuantizationChoice, cacheType: CacheType = 'f32'): Promise<PreparedModel> {
  const config = readServeConfig([], readEnvironment())
  const { path } = await resolveModel(config, SILENT)
  return prepareModel({ path, quantization, cacheType, cacheFolder: graphsFolder(config.modelsFolder) })
}

export async function openDefaultModel(quantization: QuantizationChoice, cacheType: CacheType = 'f32'): Promise<ModelRunner> {
  const model = await prepareDefaultModel(quantization, cacheType)
  return openModelRunner({ ...model, contextLength: 512, slots: 8, blocks: 0, threads: 2, spinning: false })
}

const Reference = z.object({
  cases: z.array(
    z.object({
      prompt: z.string(),
      promptTokenIds: z.array(z.int()),
      promptLogprobs: z.array(z.number().nullable()),
      greedyTokenIds: z.array(z.int()),
      margins: z.array(z.number())
    })
  )
})
export type ReferenceCase = z.infer<typeof Reference>['cases'][number]

/** Results of transformers in float32, written by test/fixtures/smollm2/make.py. */
export async function readReference(): Promise<readonly ReferenceCase[]> {
  const file = new URL('../fixtures/smollm2/reference.json', import.meta.url)
  return Reference.parse(JSON.parse(await readFile(file, 'utf8'))).cases
}
