import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { LLAMA, type LlamaConfig } from '../../../src/inference/families/llama.ts'
import { MODEL_FILE } from '../../../src/inference/graph/graph-plan.ts'
import type { WeightForm } from '../../../src/inference/graph/weight-nodes.ts'
import type { WeightSource } from '../../../src/inference/graph/weight-source.ts'
import { writeDataHere, writeGraph } from '../../../src/inference/graph/write-graph.ts'
import { toPerChannel } from '../../../src/inference/weights/quantization/per-channel.ts'

export const TINY_LLAMA: LlamaConfig = {
  layers: 2,
  hidden: 64,
  heads: 4,
  kvHeads: 2,
  headDim: 16,
  feedForward: 96,
  vocabulary: 64,
  context: 256,
  rmsEpsilon: 1e-5,
  rotary: { dims: 16, theta: 10_000, positionDivisor: 1, frequencyDivisors: null },
  head: 'optional'
}

/** Optional tensors: a head that is not the embedding; biases of queries, keys and values. */
export type Extra = 'head' | 'biases'

/** Writes a small random Llama, always the same, into `folder`, creating it if necessary. Takes milliseconds. */
export async function writeTinyLlama(
  folder: string,
  form: WeightForm = 'float32',
  extras: readonly Extra[] = []
): Promise<{ graphPath: string; config: LlamaConfig }> {
  await mkdir(folder, { recursive: true })
  const source = tinyWeights(TINY_LLAMA, extras)
  const plan = LLAMA.forward(TINY_LLAMA, { source, form })
  await writeGraph(folder, plan, writeDataHere(plan, source))
  return { graphPath: join(folder, MODEL_FILE), config: TINY_LLAMA }
}

/**
 * Random weights that are multiples of 1/256 in -1/2..1/2 (norms near 1): the 8-bit form represents them exactly.
 */
export function tinyWeights(config: LlamaConfig, extras: readonly Extra[] = []): WeightSource {
  const shapes = tinyShapes(config, extras)

  function values(name: string, firstRow: number, rows: number): Float32Array {
    const [, columns] = shapes.get(name) ?? [0, 0]
    const centre = name.includes('norm') ? 1 : 0
    return Float32Array.from({ length: rows * columns }, (_, i) => centre + (noise(name, firstRow * columns + i) - 128) / 256)
  }

  return {
    info(name) {
      const shape = shapes.get(name)
      return shape === undefined ? null : { rows: shape[0], columns: shape[1], blockElements: 32, hasZeroPoints: false }
    },
    async float32(name, firstRow, rows) {
      return values(name, firstRow, rows)
    },
    async eightBit(name, firstRow, rows, blockElements) {
      const codes = Uint8Array.from(values(name, firstRow, rows), value => value * 256 + 128)
      const blocks = codes.length / blockElements
      return { codes, scales: new Float32Array(blocks).fill(1 / 256), zeroPoints: new Uint8Array(blocks).fill(128) }
    },
    async perChannel(name, firstRow, rows, exact) {
      return toPerChannel(values(name, firstRow, rows), shapes.get(name)?.[1] ?? 0, exact)
    }
  }
}

function tinyShapes(config: LlamaConfig, extras: readonly Extra[]): Map<string, [number, number]> {
  const { hidden, heads, kvHeads, headDim, feedForward, vocabulary, layers } = config
  const shapes = new Map<string, [number, number]>([
    ['embedding', [vocabulary, hidden]],
    ['output_norm', [1, hidden]]
  ])
  if (extras.includes('head')) shapes.set('head', [vocabulary, hidden])
  for (let l = 0; l < layers; l++) {
    if (extras.includes('biases')) {
      shapes
        .set(`layers.${l}.query.bias`, [heads * headDim, 1])
        .set(`layers.${l}.key.bias`, [kvHeads * headDim, 1])
        .set(`layers.${l}.value.bias`, [kvHeads * headDim, 1])
    }
    shapes
      .set(`layers.${l}.attention_norm`, [1, hidden])
      .set(`layers.${l}.query`, [heads * headDim, hidden])
      .set(`layers.${l}.key`, [kvHeads * headDim, hidden])
      .set(`layers.${l}.value`, [kvHeads * headDim, hidden])
      .set(`layers.${l}.attention_output`, [hidden, heads * headDim])
      .set(`layers.${l}.feed_forward_norm`, [1, hidden])
      .set(`layers.${l}.gate`, [feedForward, hidden])
      .set(`layers.${l}.up`, [feedForward, hidden])
      .set(`layers.${l}.down`, [hidden, feedForward])
  }
  return shapes
}

/** A byte that depends only on name and index (FNV-1a and a final mix). */
function noise(name: string, index: number): number {
  let hash = 0x811c9dc5 ^ index
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) & 255
}
