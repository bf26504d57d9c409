import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { CacheType } from '../../../src/inference/contract/cache-type.ts'
import { LLAMA, type LlamaConfig } from '../../../src/inference/families/llama.ts'
import type { GraphWeights } from '../../../src/inference/graph/decoder-graph.ts'
import { MODEL_FILE } from '../../../src/inference/graph/graph-plan.ts'
import type { WeightForm } from '../../../src/inference/graph/weight-nodes.ts'
import type { WeightSource } from '../../../src/inference/graph/weight-source.ts'
import { writeDataHere, writeGraph } from '../../../src/inference/graph/write-graph.ts'
import type { ModelRunnerOptions } from '../../../src/inference/runtime/onnx-model-runner.ts'
import { TINY_LLAMA, tinyFourBitWeights, tinyWeights } from '../graph/tiny-llama.ts'

/** A graph in a temporary folder, and the options to open it. */
export interface TinyGraph extends AsyncDisposable {
  readonly options: ModelRunnerOptions
}

/** Takes about 30 ms for 512 tokens: long enough to observe a run in flight. */
export const SLOW_LLAMA: LlamaConfig = { ...TINY_LLAMA, layers: 16, context: 1024 }

export async function tinyGraph(
  config: LlamaConfig = TINY_LLAMA,
  form: WeightForm | 'w8a8' = 'float32',
  cache: CacheType = 'f32'
): Promise<TinyGraph> {
  const folder = await mkdtemp(join(tmpdir(), 'everstream-runtime-'))
  const source = form === 'native' ? tinyFourBitWeights(config) : tinyWeights(config)
  const plan = LLAMA.forward(config, { ...graphWeights(config, source, form), cache })
  await writeGraph(folder, plan, writeDataHere(plan, source))
  return {
    options: {
      graphPath: join(folder, MODEL_FILE),
      layers: config.layers,
      kvHeads: config.kvHeads,
      headDim: config.headDim,
      vocabularySize: config.vocabulary,
      contextLength: config.context,
      cacheScales: cache === 'f32' ? null : Array.from({ length: 2 * config.layers }, () => 1 / 32),
      slots: 4,
      blocks: 8,
      threads: 1,
      spinning: false
    },
    async [Symbol.asyncDispose]() {
      await rm(folder, { recursive: true, force: true })
    }
  }
}

function graphWeights(config: LlamaConfig, source: WeightSource, form: WeightForm | 'w8a8'): GraphWeights {
  if (form !== 'w8a8') return { source, form }
  const { reported } = LLAMA.forward(config, { source, form: 'eightBit', activations: 'report' })
  return {
    source,
    form: 'eightBit',
    activations: { exactChannels: new Map(reported.map(({ activation }) => [activation, [1, 5, 9]])), codes: 'int8' }
  }
}

/** Synthetic token ids, a function of the seed. */
export function tokens(count: number, seed = 1): number[] {
  return Array.from({ length: count }, (_, index) => (index * 7 + seed * 13 + ((index * index) % 11)) % TINY_LLAMA.vocabulary)
}
