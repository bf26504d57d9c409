import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { seededRandom } from '../requests/random.ts'
import { BLOCK_TYPES, type BlockTypeName } from './block-types.ts'
import { ggufHeader, type HeaderTensor, type MetadataValue, paddedBytes } from './gguf-header.ts'
import { type MixtureName, type Part, typeOfPart } from './mixtures.ts'
import { type ModelShape, SHAPES, type ShapeName } from './shapes.ts'
import { vocabularyMetadata } from './vocabulary.ts'
import { weightsPattern } from './weights-pattern.ts'

export interface RandomModel {
  readonly shape: ShapeName
  readonly type: MixtureName
}

/** Part of a file's name: must be raised whenever the same model would be written differently. */
const WRITER_VERSION = 1
const SEED = 1
/** Room for 8,192 positions and the steps measured after them. */
const CONTEXT = 16_384

/**
 * The path of a Llama of random weights as a GGUF file, written if it does not exist. It has the sizes and the types of
 * a published model; its text is noise. Weights repeat: all matrices of one type and width are made from one pattern of
 * some megabytes, each from another start.
 *
 * The process may be killed at any time, and several may write the same file at once.
 */
export async function randomModel(model: RandomModel, folder: string): Promise<string> {
  const path = randomModelPath(model, folder)
  if ((await stat(path).catch(() => null)) !== null) return path
  await mkdir(folder, { recursive: true })
  await removeDeadParts(folder)
  const part = `${path}.${process.pid}`
  try {
    await using file = await open(part, 'w')
    await writeModel(file, SHAPES[model.shape], model.type, `random ${model.shape} ${model.type}`)
  } catch (error) {
    await rm(part, { force: true })
    throw error
  }
  await rename(part, path)
  return path
}

export function randomModelPath({ shape, type }: RandomModel, folder: string): string {
  return join(folder, `random-${shape}-${type}-v${WRITER_VERSION}.gguf`)
}

interface PlannedTensor {
  readonly name: string
  readonly shape: readonly number[]
  /** Null for a norm, whose weights are 1. */
  readonly type: BlockTypeName | null
}

/** Writes a whole GGUF file. */
export async function writeModel(file: FileHandle, shape: ModelShape, mixture: MixtureName, name: string): Promise<void> {
  const tensors = planTensors(shape, mixture)
  await file.writeFile(ggufHeader({ ...modelMetadata(shape, name), ...vocabularyMetadata(shape.vocabulary) }, tensors.map(headerOf)))
  const random = seededRandom(SEED)
  const patterns = new Map<string, Uint8Array>()
  for (const tensor of tensors) {
    const { bytes } = headerOf(tensor)
    if (tensor.type === null) await file.writeFile(new Float32Array(bytes / 4).fill(1))
    else {
      const columns = tensor.shape[1] ?? 0
      const key = `${tensor.type} ${columns}`
      const pattern = patterns.get(key) ?? weightsPattern(tensor.type, columns, SEED)
      patterns.set(key, pattern)
      const blockBytes = BLOCK_TYPES[tensor.type].bytes
      await writeRepeated(file, pattern, Math.floor((random() * pattern.length) / blockBytes) * blockBytes, bytes)
    }
    await file.writeFile(new Uint8Array(paddedBytes(bytes) - bytes))
  }
}

async function writeRepeated(file: FileHandle, pattern: Uint8Array, start: number, bytes: number): Promise<void> {
  let at = start
  for (let left = bytes; left > 0; at = 0) {
    const piece = pattern.subarray(at, at + left)
    await file.writeFile(piece)
    left -= piece.length
  }
}

function headerOf({ name, shape, type }: PlannedTensor): HeaderTensor {
  const elements = shape.reduce((product, size) => product * size, 1)
  if (type === null) return { name, shape, typeId: BLOCK_TYPES.F32.id, bytes: elements * 4 }
  const { id, bytes, elements: blockElements } = BLOCK_TYPES[type]
  return { name, shape, typeId: id, bytes: (elements / blockElements) * bytes }
}

function planTensors(shape: ModelShape, mixture: MixtureName): readonly PlannedTensor[] {
  const { layers, hidden, heads, kvHeads, feedForward, vocabulary, tied } = shape
  const kvWidth = (hidden / heads) * kvHeads
  const matrix = (part: Part, layer: number, rows: number, columns: number): PlannedTensor => ({
    name: part === 'token_embd' || part === 'output' ? `${part}.weight` : `blk.${layer}.${part}.weight`,
    shape: [rows, columns],
    type: typeOfPart(mixture, part, layer, shape, columns)
  })
  const norm = (name: string): PlannedTensor => ({ name: `${name}.weight`, shape: [hidden], type: null })
  return [
    matrix('token_embd', 0, vocabulary, hidden),
    norm('output_norm'),
    ...(tied ? [] : [matrix('output', 0, vocabulary, hidden)]),
    ...Array.from({ length: layers }, (_, layer) => [
      norm(`blk.${layer}.attn_norm`),
      matrix('attn_q', layer, hidden, hidden),
      matrix('attn_k', layer, kvWidth, hidden),
      matrix('attn_v', layer, kvWidth, hidden),
      matrix('attn_output', layer, hidden, hidden),
      norm(`blk.${layer}.ffn_norm`),
      matrix('ffn_gate', layer, feedForward, hidden),
      matrix('ffn_up', layer, feedForward, hidden),
      matrix('ffn_down', layer, hidden, feedForward)
    ]).flat()
  ]
}

function modelMetadata({ layers, hidden, heads, kvHeads, feedForward, vocabulary, rotaryBase }: ModelShape, name: string) {
  return {
    'general.architecture': { string: 'llama' },
    'general.name': { string: name },
    'general.quantization_version': { u32: 2 },
    'llama.context_length': { u32: CONTEXT },
    'llama.block_count': { u32: layers },
    'llama.embedding_length': { u32: hidden },
    'llama.feed_forward_length': { u32: feedForward },
    'llama.attention.head_count': { u32: heads },
    'llama.attention.head_count_kv': { u32: kvHeads },
    'llama.attention.layer_norm_rms_epsilon': { f32: 1e-5 },
    'llama.rope.dimension_count': { u32: hidden / heads },
    'llama.rope.freq_base': { f32: rotaryBase },
    'llama.vocab_size': { u32: vocabulary }
  } satisfies Readonly<Record<string, MetadataValue>>
}

/** Removes what killed processes left: the last part of such a file's name is the id of its process. */
async function removeDeadParts(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const pid = Number(/\.gguf\.(\d+)$/.exec(name)?.[1])
    if (pid > 0 && !isAlive(pid)) await rm(join(folder, name), { force: true })
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
