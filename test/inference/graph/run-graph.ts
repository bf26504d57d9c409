import { InferenceSession, Tensor } from 'onnxruntime-node'
import type { LlamaConfig } from '../../../src/inference/families/llama.ts'

/** Keys and values of some rows after a run. */
export type Cache = Readonly<Record<string, Tensor>>

export interface Step {
  /** One array per row, all of the same length. */
  readonly ids: readonly (readonly number[])[]
  /** Positions of each row in the cache. */
  readonly pasts: readonly number[]
  readonly cache?: Cache
  /** Indexes into rows × tokens. */
  readonly expected: readonly number[]
}

/**
 * Runs a graph with onnxruntime-node's own JavaScript binding: slow, since it copies the cache, and independent of
 * `inference/runtime`.
 */
export class GraphUnderTest {
  readonly #session: InferenceSession
  readonly #config: Pick<LlamaConfig, 'layers' | 'kvHeads' | 'headDim'>
  readonly #capacity: number
  readonly #cacheScales: readonly number[] | null

  /** @param cacheScales  of an int8 cache: keys before values of each layer */
  constructor(
    session: InferenceSession,
    config: Pick<LlamaConfig, 'layers' | 'kvHeads' | 'headDim'>,
    capacity: number,
    cacheScales: readonly number[] | null
  ) {
    this.#session = session
    this.#cacheScales = cacheScales
    this.#config = config
    this.#capacity = capacity
  }

  static async open(
    path: string,
    config: Pick<LlamaConfig, 'layers' | 'kvHeads' | 'headDim'>,
    capacity: number,
    cacheScales: readonly number[] | null = null
  ): Promise<GraphUnderTest> {
    const session = await InferenceSession.create(path, { intraOpNumThreads: 1, logSeverityLevel: 3 })
    return new GraphUnderTest(session, config, capacity, cacheScales)
  }

  async run({ ids, pasts, cache, expected }: Step): Promise<{ logits: number[][]; cache: Cache }> {
    const [rows, tokens] = [ids.length, ids[0]?.length ?? 0]
    const totals = pasts.map(past => past + tokens)
    const outputs = await this.#session.run({
      input_ids: int64(ids.flat(), [rows, tokens]),
      seqlens_k: new Tensor(
        'int32',
        Int32Array.from(totals, total => total - 1),
        [rows]
      ),
      total_sequence_length: new Tensor('int32', Int32Array.of(Math.max(...totals)), [1]),
      logit_indices: int64(expected, [expected.length]),
      ...toPast(cache ?? this.#emptyCache(rows)),
      ...this.#scaleInputs()
    })
    const { logits, ...present } = outputs
    const [count = 0, vocabulary = 0] = logits?.dims ?? []
    const values = logits?.data as Float32Array
    return { logits: Array.from({ length: count }, (_, r) => [...values.subarray(r * vocabulary, (r + 1) * vocabulary)]), cache: present }
  }

  /** Concatenates the rows of several caches. */
  join(caches: readonly Cache[]): Cache {
    return Object.fromEntries(
      Object.entries(caches[0] ?? {}).map(([name, first]) => {
        const parts = caches.map(cache => (cache[name]?.data ?? []) as Float32Array)
        const joined = Float32Array.from(parts.flatMap(part => [...part]))
        return [name, new Tensor('float32', joined, [caches.length, ...first.dims.slice(1)])]
      })
    )
  }

  async close(): Promise<void> {
    await this.#session.release()
  }

  #emptyCache(rows: number): Cache {
    const { layers, kvHeads, headDim } = this.#config
    const dims = [rows, kvHeads, this.#capacity, headDim]
    const names = Array.from({ length: layers }, (_, l) => [`present.${l}.key`, `present.${l}.value`]).flat()
    const size = dims.reduce((product, dim) => product * dim, 1)
    const empty = (): Tensor =>
      this.#cacheScales === null ? new Tensor('float32', new Float32Array(size), dims) : new Tensor('int8', new Int8Array(size), dims)
    return Object.fromEntries(names.map(name => [name, empty()]))
  }

  #scaleInputs(): Record<string, Tensor> {
    return Object.fromEntries(
      (this.#cacheScales ?? []).map((scale, index) => [
        `cache_scale.${Math.floor(index / 2)}.${index % 2 === 0 ? 'key' : 'value'}`,
        new Tensor('float32', Float32Array.of(scale), [1])
      ])
    )
  }
}

function toPast(cache: Cache): Cache {
  return Object.fromEntries(Object.entries(cache).map(([name, tensor]) => [name.replace('present', 'past_key_values'), tensor]))
}

function int64(values: readonly number[], dims: readonly number[]): Tensor {
  return new Tensor('int64', BigInt64Array.from(values, BigInt), dims)
}
