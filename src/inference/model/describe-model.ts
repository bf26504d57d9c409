import { stat } from 'node:fs/promises'
import { type CacheType, cacheBytesPerToken } from '../contract/cache-type.ts'
import type { TensorFile } from '../weights/tensor-file.ts'
import { findModelFiles } from './model-files.ts'
import { type ModelMetadata, readModelMetadata } from './model-metadata.ts'
import { planModel } from './plan-model.ts'
import type { ModelShape, QuantizationChoice } from './prepared-model.ts'
import { sourceHash } from './source-hash.ts'

/** A value and its source: the field that contains it, or how it is computed. */
export interface Known<Value> {
  readonly value: Value
  readonly source: string
}

export interface ModelDescription {
  readonly family: Known<string>
  readonly parameters: Known<number>
  readonly vocabularySize: Known<number>
  readonly contextLength: Known<number>
  readonly layers: Known<number>
  /** null where the files do not contain it. */
  readonly heads: Known<number> | null
  readonly kvHeads: Known<number>
  readonly headDim: Known<number>
  readonly cacheBytesPerToken: Known<number>
  /** Types of the weights in the file and their share of its bytes, largest first. */
  readonly weightTypes: Known<readonly { readonly type: string; readonly share: number }[]>
  readonly served: ModelShape['quantization']
  readonly tokenizer: Known<string>
  readonly chatTemplate: Known<boolean>
  readonly files: readonly { readonly path: string; readonly bytes: number; readonly sha256: string }[]
}

export interface DescribeOptions {
  /** See `PrepareOptions.path`. */
  readonly path: string
  readonly quantization: QuantizationChoice
  readonly cacheType: CacheType
  /** Folder in which hashes of files are cached. */
  readonly cacheFolder: string
}

/**
 * Describes a model from its headers and configuration. Each file is read completely for its hash.
 *
 * @throws {ModelFileError} the model cannot be served
 */
export async function describeModel({ path, quantization, cacheType, cacheFolder }: DescribeOptions): Promise<ModelDescription> {
  const found = await findModelFiles(path)
  const metadata = await readModelMetadata(found)
  const planned = await planModel(found, quantization === 'auto' ? 'int8' : quantization)
  await using file = planned.file
  const { architecture, parameters, vocabularySize, contextLength, layers, kvHeads, headDim, quantization: served } = planned.shape
  const bytes = { f32: '4 bytes', int8: '1 byte' }[cacheType]
  const from = sourcesIn(metadata, architecture)
  const heads = from.heads === null ? null : metadata.find(...HEADS(architecture))?.value
  return {
    family: { value: architecture, source: from.family },
    parameters: { value: parameters, source: 'counted over the tensors' },
    vocabularySize: { value: vocabularySize, source: from.vocabulary },
    contextLength: { value: contextLength, source: from.context },
    layers: { value: layers, source: from.layers },
    heads: typeof heads === 'number' && from.heads !== null ? { value: heads, source: from.heads } : null,
    kvHeads: { value: kvHeads, source: from.kvHeads },
    headDim: { value: headDim, source: from.headDim },
    cacheBytesPerToken: {
      value: cacheBytesPerToken(planned.shape, cacheType),
      source: `keys and values × ${bytes} × layers × key/value heads × size of a head (--cache-type ${cacheType})`
    },
    weightTypes: { value: weightTypes(file), source: 'the tensors' },
    served,
    tokenizer: { value: metadata.tokenizer.kind, source: metadata.tokenizer.source },
    chatTemplate: {
      value: metadata.chatTemplate !== null,
      source: metadata.chatTemplate ?? `none in ${metadata.sourceName === 'GGUF' ? 'the file' : 'the folder'}`
    },
    files: await Promise.all(
      found.contents.map(async each => ({
        path: each,
        bytes: (await stat(each)).size,
        sha256: await sourceHash(each, cacheFolder, () => {})
      }))
    )
  }
}

const HEADS = (architecture: string) => [`${architecture}.attention.head_count`, 'num_attention_heads', 'n_head']

/** Each value has one name in GGUF metadata and others in the configurations of checkpoints. */
function sourcesIn(metadata: ModelMetadata, architecture: string) {
  function source(...names: readonly string[]): string | null {
    const found = metadata.find(...names)
    return found === null ? null : `${metadata.sourceName} ${found.name}`
  }
  const heads = source(...HEADS(architecture))
  return {
    family: source('general.architecture', 'model_type') ?? metadata.sourceName,
    vocabulary: source(`${architecture}.vocab_size`, 'tokenizer.ggml.tokens', 'vocab_size') ?? metadata.sourceName,
    context: source(`${architecture}.context_length`, 'max_position_embeddings', 'n_positions', 'n_ctx') ?? metadata.sourceName,
    layers: source(`${architecture}.block_count`, 'num_hidden_layers', 'n_layer') ?? metadata.sourceName,
    heads,
    kvHeads: source(`${architecture}.attention.head_count_kv`, 'num_key_value_heads') ?? 'one for each head',
    headDim: source(`${architecture}.attention.key_length`, 'head_dim') ?? 'width of the model / heads'
  }
}

function weightTypes(file: TensorFile): ModelDescription['weightTypes']['value'] {
  const byType = Map.groupBy(file.tensors.values(), tensor => tensor.type.name)
  const sizes = [...byType].map(([type, tensors]) => ({ type, bytes: tensors.reduce((sum, { bytes }) => sum + bytes, 0) }))
  const total = sizes.reduce((sum, { bytes }) => sum + bytes, 0)
  return sizes.map(({ type, bytes }) => ({ type, share: bytes / total })).toSorted((a, b) => b.share - a.share)
}
