import { fileURLToPath } from 'node:url'
import type { CacheType } from '../../../src/inference/contract/cache-type.ts'
import { isTerminal, type LoggedEvent } from '../../../src/inference/contract/events.ts'
import type { GenerationRequest } from '../../../src/inference/contract/request.ts'
import type { TokenText } from '../../../src/inference/contract/token-text.ts'
import { BatchEngine } from '../../../src/inference/engine/batch-engine.ts'
import { type Determinism, probeDeterminism } from '../../../src/inference/engine/determinism-probe.ts'
import { prepareModel } from '../../../src/inference/model/prepare-model.ts'
import type { PreparedModel } from '../../../src/inference/model/prepared-model.ts'
import { openModelRunner } from '../../../src/inference/runtime/onnx-model-runner.ts'

const SLOTS = 5

/** Every token is a byte, so that characters and stop strings span several tokens. */
const byteText: TokenText = {
  vocabularySize: Number.POSITIVE_INFINITY,
  endTokenIds: [2],
  isSpecial: () => false,
  specialIdOf: () => null,
  bytes: tokenId => Uint8Array.of(tokenId % 256),
  decoder: () => {
    const decoder = new TextDecoder()
    return { push: tokenId => decoder.decode(byteText.bytes(tokenId), { stream: true }), flush: () => decoder.decode() }
  }
}

export interface Submission {
  readonly request: GenerationRequest
  readonly history: readonly LoggedEvent[]
}

/** A cache file, the cache file of another killed worker, and the number of events after which the engine is killed. */
export interface Life {
  readonly cacheFile: number
  readonly neighbourFile?: number
  readonly events: number
}

/** All events of requests that run together in a new engine, until they end or it is killed. */
export async function runOnKernels(
  model: PreparedModel,
  { loneRowDiffers, cutsDiffer }: Determinism,
  chunkTokens: number,
  submissions: readonly Submission[],
  life: Life | null = null
): Promise<LoggedEvent[][]> {
  const runner = await openModelRunner({ ...model, slots: SLOTS, blocks: 20, threads: 1, spinning: false })
  const emitted = new Map(submissions.map(({ request }) => [request.id, [] as LoggedEvent[]]))
  const { promise: ended, resolve, reject } = Promise.withResolvers<void>()
  let running = submissions.length
  let left = life?.events ?? Number.POSITIVE_INFINITY
  const engine = new BatchEngine({
    runner,
    text: byteText,
    description: { ...model, slots: SLOTS, cacheBudgetBytes: 100 * model.contextLength * model.cacheBytesPerToken },
    chunkTokens,
    loneChunkTokens: 2 * chunkTokens,
    minDecodeRows: loneRowDiffers ? 2 : 1,
    persistentCache: {
      identity: model.modelHash,
      moveTo: descriptor => runner.moveCacheTo(descriptor),
      orphanedCacheIn: descriptor => runner.orphanedCacheIn(descriptor)
    },
    reusePrefixes: !cutsDiffer,
    recovery: 'exact',
    now: () => 0,
    listener: {
      emit: signal => {
        if (signal.kind !== 'events' || left <= 0) return
        const { events } = signal
        left -= events.length
        if (left <= 0) resolve()
        for (const { requestId, event } of events) {
          emitted.get(requestId)?.push(event)
          if (isTerminal(event) && --running === 0) resolve()
        }
      }
    },
    onCrash: reject
  })
  if (life !== null) engine.useCacheFile(life.cacheFile)
  if (life?.neighbourFile !== undefined) engine.attachOrphanedCache(life.neighbourFile)
  for (const { request, history } of submissions) engine.submit(request, history)
  await ended
  await engine.close()
  return [...emitted.values()]
}

/** A model of test/fixtures/families, and the numeric properties of its kernels on this machine. */
export async function prepareFamily(family: string, quantization: 'none' | 'int8', cacheType: CacheType, cacheFolder: string) {
  const path = fileURLToPath(new URL(`../../fixtures/families/${family}`, import.meta.url))
  const model = await prepareModel({ path, quantization, cacheType, cacheFolder })
  return { model, determinism: await determinismOf(model) }
}

export async function determinismOf(model: PreparedModel): Promise<Determinism> {
  const runner = await openModelRunner({ ...model, slots: 2, blocks: 0, threads: 1, spinning: false })
  try {
    return await probeDeterminism(runner)
  } finally {
    runner.close()
  }
}
