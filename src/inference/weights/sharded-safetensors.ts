import { dirname, join } from 'node:path'
import { z } from 'zod'
import { readJsonFile } from './json-file.ts'
import { ModelFileError } from './model-file-error.ts'
import { openSafetensors, SAFETENSORS_LIMITS } from './safetensors.ts'
import type { OpenFile, TensorFile, TensorInfo } from './tensor-file.ts'

/** Limits of an index. */
const LIMITS = {
  /** Published ones are below 1 MiB. */
  indexBytes: 32 * 2 ** 20,
  /** Each is an open file. The largest published checkpoints have about 200. */
  shards: 512
} as const

/** A name without a path: a shard is in the folder of its index. */
const ShardName = z
  .string()
  .max(255)
  .regex(/^[^/\\:\0]+\.safetensors$/, 'must be the name of a .safetensors file beside the index')

const Index = z.object({ weight_map: z.record(z.string(), ShardName) })
type Index = z.infer<typeof Index>

/**
 * Paths of the shards of an index, without duplicates, sorted by name.
 *
 * @throws {ModelFileError} not an index in the format of transformers, or one that names files outside its folder
 */
export async function shardPaths(indexPath: string): Promise<string[]> {
  return shardNames(indexPath, await readIndex(indexPath)).map(name => join(dirname(indexPath), name))
}

/**
 * Opens a checkpoint of several safetensors files as one. The caller closes it.
 *
 * @throws {ModelFileError} the errors of `shardPaths` and `openSafetensors`, a missing shard, or shards that contradict
 *   the index
 * Source: transformers, modeling_utils.py, `save_pretrained`
 */
export async function openShardedSafetensors(indexPath: string): Promise<TensorFile> {
  const index = await readIndex(indexPath)
  const shards = new Map<string, TensorFile>()
  try {
    for (const name of shardNames(indexPath, index)) shards.set(name, await openSafetensors(join(dirname(indexPath), name)))
    return new ShardedFile(indexPath, [...shards.values()], ownersOf(indexPath, index, shards))
  } catch (error) {
    await closeAll(shards.values())
    throw error
  }
}

async function readIndex(path: string): Promise<Index> {
  const parsed = Index.safeParse(await readJsonFile(path, LIMITS.indexBytes))
  if (parsed.success) return parsed.data
  throw new ModelFileError(`${path}: ${z.prettifyError(parsed.error).replaceAll(/\s+/g, ' ').slice(0, 500)}`)
}

function shardNames(path: string, { weight_map }: Index): string[] {
  const names = [...new Set(Object.values(weight_map))].toSorted()
  const tensors = Object.keys(weight_map).length
  if (names.length === 0 || names.length > LIMITS.shards || tensors > SAFETENSORS_LIMITS.tensors) {
    throw new ModelFileError(
      `${path}: names ${tensors} tensors in ${names.length} files, must be 1 to ${SAFETENSORS_LIMITS.tensors} in at most ${LIMITS.shards}`
    )
  }
  return names
}

/** The file of each tensor. Index and shards must agree. */
function ownersOf(path: string, { weight_map }: Index, shards: ReadonlyMap<string, TensorFile>): Map<TensorInfo, TensorFile> {
  const shardOf = new Map(Object.entries(weight_map))
  for (const [tensor, shard] of shardOf) {
    if (shards.get(shard)?.tensors.has(tensor) !== true) {
      throw new ModelFileError(`${path}: tensor ${JSON.stringify(tensor.slice(0, 100))} is not in ${shard}`)
    }
  }
  const owners = new Map<TensorInfo, TensorFile>()
  for (const [shard, file] of shards) {
    for (const tensor of file.tensors.values()) {
      if (shardOf.get(tensor.name) !== shard) {
        const owner = shardOf.get(tensor.name)
        const found = owner === undefined ? 'does not mention' : `assigns to ${owner}`
        throw new ModelFileError(`${file.path}: holds tensor ${JSON.stringify(tensor.name.slice(0, 100))}, which the index ${found}`)
      }
      owners.set(tensor, file)
    }
  }
  return owners
}

class ShardedFile implements TensorFile {
  readonly path: string
  readonly fileBytes: number
  readonly tensors: ReadonlyMap<string, TensorInfo>
  readonly #shards: readonly TensorFile[]
  readonly #owners: ReadonlyMap<TensorInfo, TensorFile>

  constructor(path: string, shards: readonly TensorFile[], owners: ReadonlyMap<TensorInfo, TensorFile>) {
    this.path = path
    this.fileBytes = shards.reduce((sum, shard) => sum + shard.fileBytes, 0)
    this.tensors = new Map(owners.keys().map(tensor => [tensor.name, tensor]))
    this.#shards = shards
    this.#owners = owners
  }

  fileOf(tensor: TensorInfo): OpenFile {
    return this.#owner(tensor).fileOf(tensor)
  }

  async read(tensor: TensorInfo, start: number, length: number): Promise<Uint8Array> {
    return this.#owner(tensor).read(tensor, start, length)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await closeAll(this.#shards)
  }

  #owner(tensor: TensorInfo): TensorFile {
    const owner = this.#owners.get(tensor)
    if (owner === undefined) throw new ModelFileError(`${this.path}: has no tensor ${JSON.stringify(tensor.name)}`)
    return owner
  }
}

async function closeAll(files: Iterable<TensorFile>): Promise<void> {
  for (const file of files) await file[Symbol.asyncDispose]()
}
