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
  const source = form === 'native' ? tinyFourBitWeights(TINY_LLAMA) : tinyWeights(TINY_LLAMA, extras)
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
      return shape === undefined ? null : { rows: shape[0], columns: shape[1], blockElements: 32, hasZeroPoints: false, fourBit: null }
    },
    async float32(name, firstRow, rows) {
      return values(name, firstRow, rows)
    },
    async eightBit(name, firstRow, rows, blockElements) {
      const codes = Uint8Array.from(values(name, firstRow, rows), value => value * 256 + 128)
      const blocks = codes.length / blockElements
      return { codes, scales: new Float32Array(blocks).fill(1 / 256), zeroPoints: new Uint8Array(blocks).fill(128) }
    },
    fourBit: name => Promise.reject(new Error(`${name} does not fit in 4 bits`)),
    async perChannel(name, firstRow, rows, exact) {
      return toPerChannel(values(name, firstRow, rows), shapes.get(name)?.[1] ?? 0, exact)
    }
  }
}

/**
 * As `tinyWeights`, but most matrices have 4-bit values, some of them with offsets. Values and gates of the
 * feed-forward still have 8, so that one product joins both.
 */
export function tinyFourBitWeights(config: LlamaConfig): WeightSource {
  const whole = tinyWeights(config)
  const formatOf = (name: string): { readonly hasOffsets: boolean } | null =>
    /\.(query|key|up|attention_output|down)$/.test(name) ? { hasOffsets: /\.(key|up|down)$/.test(name) } : null
  const offsetOf = (name: string): number => (formatOf(name)?.hasOffsets ? 1 / 32 : 0)
  const codesOf = async (name: string, firstRow: number, rows: number): Promise<Float32Array> =>
    (await whole.float32(name, firstRow, rows)).map(value => Math.min(15, Math.floor((value + 0.5) * 16)))
  const float32 = async (name: string, firstRow: number, rows: number): Promise<Float32Array> =>
    formatOf(name) === null
      ? whole.float32(name, firstRow, rows)
      : (await codesOf(name, firstRow, rows)).map(code => (code - 8) / 16 + offsetOf(name))

  return {
    ...whole,
    info(name) {
      const info = whole.info(name)
      return info === null ? null : { ...info, fourBit: formatOf(name) }
    },
    float32,
    async eightBit(name, firstRow, rows, blockElements) {
      const codes = Uint8Array.from(await float32(name, firstRow, rows), value => value * 256 + 128)
      const blocks = codes.length / blockElements
      return { codes, scales: new Float32Array(blocks).fill(1 / 256), zeroPoints: new Uint8Array(blocks).fill(128) }
    },
    async fourBit(name, firstRow, rows) {
      const codes = await codesOf(name, firstRow, rows)
      const blocks = codes.length / 32
      return {
        codes: Uint8Array.from({ length: codes.length / 2 }, (_, i) => (codes[2 * i] ?? 0) + 16 * (codes[2 * i + 1] ?? 0)),
        scales: new Float32Array(blocks).fill(1 / 16),
        offsets: formatOf(name)?.hasOffsets ? new Float32Array(blocks).fill(offsetOf(name)) : null
      }
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
