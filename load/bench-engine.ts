import { PLAIN_DELIVERY } from '../src/inference/contract/delivery-policy.ts'
import type { ModelRunner } from '../src/inference/contract/model-runner.ts'
import { type GenerationRequest, PLAIN_REQUEST } from '../src/inference/contract/request.ts'
import { PLAIN_SAMPLING } from '../src/inference/contract/sampling.ts'
import { BatchEngine } from '../src/inference/engine/batch-engine.ts'
import { tokenizerFromGguf } from '../src/inference/tokenizer/model-files/gguf-tokenizer.ts'
import { openGguf } from '../src/inference/weights/gguf.ts'
import type { BenchCase, BenchSamples, SideOptions } from './bench-case.ts'
import { someTokens } from './bench-child.ts'

const PROMPT_TOKENS = 64

/**
 * Decode steps of the whole engine: how long the native runs take, and what lies between them (drawing tokens, text,
 * events, planning).
 */
export async function measureEngine(
  runner: ModelRunner,
  { rows, temperature, steps }: Extract<BenchCase, { kind: 'engine' }>,
  { weightsPath, capacity, chunkTokens }: SideOptions
): Promise<BenchSamples> {
  await using file = await openGguf(weightsPath)
  const timed = new TimedRunner(runner, rows)
  const { promise: finished, resolve, reject } = Promise.withResolvers<void>()
  let running = rows
  const engine = new BatchEngine({
    runner: timed,
    text: tokenizerFromGguf(file.metadata),
    description: {
      modelHash: 'bench',
      architecture: 'bench',
      parameters: 0,
      vocabularySize: runner.vocabularySize,
      contextLength: capacity,
      slots: rows,
      cacheBytesPerToken: runner.cacheBytesPerToken,
      cacheBudgetBytes: rows * capacity * runner.cacheBytesPerToken
    },
    chunkTokens,
    loneChunkTokens: chunkTokens,
    minDecodeRows: 1,
    persistentCache: null,
    reusePrefixes: false,
    recovery: 'exact',
    now: Date.now,
    listener: {
      events: events => {
        for (const { event } of events) {
          if (event.kind === 'failed') reject(new Error(event.failure.message))
          if (event.kind === 'finished' && --running === 0) resolve()
        }
      },
      running: () => {},
      advanced: () => {}
    },
    onCrash: reject
  })
  // While the last prompts are computed the first rows decode already: all get what that takes more.
  for (let row = 0; row < rows; row++) engine.submit(requestOf(row, temperature, steps + rows))
  await finished
  await engine.close()
  return timed.samples()
}

function requestOf(row: number, temperature: number, maxNewTokens: number): GenerationRequest {
  return {
    ...PLAIN_REQUEST,
    id: `cmpl-${row}`,
    prompts: [{ tokenIds: someTokens(PROMPT_TOKENS, row * PROMPT_TOKENS) }],
    maxNewTokens,
    sampling: { ...PLAIN_SAMPLING, temperature, seed: row },
    ignoreEos: true,
    admittedAtMs: Date.now(),
    delivery: PLAIN_DELIVERY
  }
}

/** Passes everything on, and notes when decode runs of all rows begin and end. The runner stays open. */
class TimedRunner implements ModelRunner {
  readonly vocabularySize: number
  readonly contextLength: number
  readonly slots: number
  readonly rows: number
  /** Its prompts have nothing in common. */
  readonly blocks = 0
  readonly cacheBytesPerToken: number
  readonly rowHeaders: ArrayBuffer
  readonly #runner: ModelRunner
  readonly #native: number[] = []
  readonly #between: number[] = []
  /** End of the run before, if that was a decode step of all rows. */
  #endedAt: number | null = null

  constructor(runner: ModelRunner, slots: number) {
    this.#runner = runner
    this.slots = slots
    this.rows = slots
    this.vocabularySize = runner.vocabularySize
    this.contextLength = runner.contextLength
    this.cacheBytesPerToken = runner.cacheBytesPerToken
    this.rowHeaders = runner.rowHeaders
  }

  samples(): BenchSamples {
    return { native: this.#native, between: this.#between }
  }

  prefill(row: number, past: number, tokenIds: readonly number[], logitIndices: readonly number[]): Promise<Float32Array> {
    this.#endedAt = null
    return this.#runner.prefill(row, past, tokenIds, logitIndices)
  }

  async decode(tokenIds: readonly number[], pasts: readonly number[]): Promise<Float32Array> {
    const startedAt = performance.now()
    if (this.#endedAt !== null) this.#between.push(startedAt - this.#endedAt)
    const logits = await this.#runner.decode(tokenIds, pasts)
    const endedAt = performance.now()
    this.#endedAt = tokenIds.length === this.slots ? endedAt : null
    if (this.#endedAt !== null) this.#native.push(endedAt - startedAt)
    return logits
  }

  copyRow(from: number, to: number, positions: number): void {
    this.#runner.copyRow(from, to, positions)
  }

  releaseRow(row: number): void {
    this.#runner.releaseRow(row)
  }

  saveBlock(): void {}

  loadBlock(): void {}

  releaseBlock(): void {}

  terminate(): void {}

  close(): void {}
}
