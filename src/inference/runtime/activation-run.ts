import { DecoderSession, type ElementType, type SessionOptions } from './decoder-session.ts'
import type { KvShape } from './kv-cache.ts'
import { openMemory } from './memory/open-memory.ts'
import type { Address } from './memory/paged-memory.ts'

/** An output of a graph that is not part of a decoder's: float32 [values]. */
export interface ActivationOutput {
  readonly name: string
  readonly values: number
}

/** A graph that reports its activations besides its logits. */
export type ActivationRunOptions = Omit<SessionOptions, 'contextLength'> &
  Pick<KvShape, 'layers' | 'kvHeads' | 'headDim'> & { readonly vocabularySize: number }

/**
 * Runs a prompt through a graph once, in one piece and without a past.
 *
 * @returns the requested outputs by name; and the cache, keys before values of each layer, float32 [kvHeads, tokens,
 *   headDim] each
 * @throws {ServiceError} `engine_failure` when ONNX Runtime rejects the graph or the run
 */
export async function runForActivations(
  options: ActivationRunOptions,
  tokenIds: readonly number[],
  outputs: readonly ActivationOutput[]
): Promise<{ readonly activations: ReadonlyMap<string, Float32Array>; readonly caches: readonly Float32Array[] }> {
  const { layers, kvHeads, headDim, vocabularySize } = options
  const tokens = tokenIds.length
  using parts = new DisposableStack()
  const session = parts.adopt(await DecoderSession.open({ ...options, contextLength: tokens }), session => session.close())
  const memory = openMemory()
  const binding = parts.adopt(session.openBinding(), binding => session.closeBinding(binding))

  /** A tensor on zeroed memory, and that memory. */
  const tensor = (type: ElementType, shape: readonly number[], elementBytes: number): { value: Address; buffer: ArrayBuffer } => {
    const bytes = shape.reduce((product, size) => product * size, elementBytes)
    const address = parts.adopt(memory.reserve(bytes), address => memory.free(address, bytes))
    const value = parts.adopt(session.tensor(type, address, shape), value => session.releaseTensor(value))
    return { value, buffer: parts.adopt(memory.view(address, bytes), buffer => buffer.transfer(0)) }
  }
  const bind = (name: string, type: 'int32' | 'int64', shape: readonly number[], values: readonly number[]): void => {
    if (!session.inputNames.includes(name)) return
    const { value, buffer } = tensor(type, shape, type === 'int32' ? 4 : 8)
    if (type === 'int32') new Int32Array(buffer).set(values)
    else new BigInt64Array(buffer).set(values.map(BigInt))
    session.bindInput(binding, name, value)
  }
  bind('input_ids', 'int64', [1, tokens], tokenIds)
  bind('position_ids', 'int64', [1, tokens], [...tokenIds.keys()])
  bind('seqlens_k', 'int32', [1], [tokens - 1])
  bind('total_sequence_length', 'int32', [1], [tokens])
  bind('logit_indices', 'int64', [1], [tokens - 1])
  const caches: ArrayBuffer[] = []
  for (let layer = 0; layer < layers; layer++) {
    for (const side of ['key', 'value']) {
      const { value, buffer } = tensor('float32', [1, kvHeads, tokens, headDim], 4)
      session.bindInput(binding, `past_key_values.${layer}.${side}`, value)
      session.bindOutput(binding, `present.${layer}.${side}`, value)
      caches.push(buffer)
    }
  }
  session.bindOutput(binding, 'logits', tensor('float32', [1, vocabularySize], 4).value)
  const bound = outputs.map(({ name, values }) => {
    const { value, buffer } = tensor('float32', [values], 4)
    session.bindOutput(binding, name, value)
    return [name, buffer] as const
  })
  await session.run(binding)
  return {
    activations: new Map(bound.map(([name, buffer]) => [name, new Float32Array(buffer.slice(0))])),
    caches: caches.map(buffer => new Float32Array(buffer.slice(0)))
  }
}
