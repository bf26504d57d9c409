import type { BenchCase, BenchSamples, SideOptions } from './bench-case.ts'
import { serveSide, someTokens, timeSteps } from './bench-child.ts'
import { type LlamaAddon, type LlamaContext, openLlamaAddon } from './bench-llama-addon.ts'

/** Most tokens of one `llama_decode`; llama.cpp's default for `n_ubatch`. */
const BATCH_TOKENS = 512

async function openContext(bindings: LlamaAddon, { weightsPath, rows, capacity, threads }: SideOptions): Promise<LlamaContext> {
  const model = new bindings.AddonModel(weightsPath, { addonExports: bindings, gpuLayers: 0, useMmap: true })
  if (!(await model.init())) throw new Error(`llama.cpp cannot load ${weightsPath}`)
  const context = new bindings.AddonContext(model, {
    contextSize: capacity * rows,
    batchSize: BATCH_TOKENS,
    sequences: rows,
    flashAttention: 'auto',
    threads
  })
  if (!(await context.init())) throw new Error('llama.cpp cannot create a context')
  return context
}

async function measure(what: BenchCase, rows: LlamaRows): Promise<BenchSamples> {
  switch (what.kind) {
    case 'prefill':
      return { native: await timeSteps(1, () => rows.prefill(what.tokens)), between: [] }
    case 'decode':
      await rows.fill(what.rows, what.past)
      return { native: await timeSteps(what.steps, step => rows.decode(what.rows, what.past + step)), between: [] }
    case 'engine':
      throw new Error('only everstream can measure the whole engine')
  }
}

/**
 * The sequences of a context. llama.cpp requires sequences without gaps: positions after the required ones are removed
 * before a sequence is filled or measured.
 */
class LlamaRows {
  readonly #context: LlamaContext
  readonly #lengths: number[]

  constructor(context: LlamaContext, rows: number) {
    this.#context = context
    this.#lengths = new Array<number>(rows).fill(0)
  }

  async fill(rows: number, positions: number): Promise<void> {
    if (this.#length(0) < positions) await this.prefill(positions)
    this.#cut(0, positions)
    for (let row = 1; row < rows; row++) {
      if (this.#length(row) >= positions) this.#cut(row, positions)
      else {
        await this.#context.copySequenceStateFromOtherSequence(row, 0)
        this.#lengths[row] = positions
      }
    }
  }

  /** Prefills sequence 0 from its start. */
  async prefill(tokens: number): Promise<void> {
    this.#context.disposeSequence(0)
    this.#lengths[0] = 0
    const ids = Uint32Array.from(someTokens(tokens))
    for (let from = 0; from < tokens; from += BATCH_TOKENS) {
      const chunk = ids.subarray(from, from + BATCH_TOKENS)
      this.#context.initBatch(chunk.length)
      this.#context.addToBatch(0, from, chunk, from + chunk.length === tokens ? Uint32Array.of(chunk.length - 1) : new Uint32Array())
      await this.#context.decodeBatch()
    }
    this.#lengths[0] = tokens
  }

  async decode(rows: number, position: number): Promise<void> {
    this.#context.initBatch(rows)
    for (const [row, token] of someTokens(rows, position).entries()) {
      this.#context.addToBatch(row, position, Uint32Array.of(token), Uint32Array.of(0))
      this.#lengths[row] = position + 1
    }
    await this.#context.decodeBatch()
  }

  #length(row: number): number {
    return this.#lengths[row] ?? 0
  }

  #cut(row: number, positions: number): void {
    if (this.#length(row) > positions) this.#context.removeTokenCellsFromSequence(row, positions, -1)
    this.#lengths[row] = positions
  }
}

await serveSide(async options => {
  const addon = await openLlamaAddon()
  if ('missing' in addon) return { readiness: addon, measure: () => Promise.reject(new Error(addon.missing)) }
  const rows = new LlamaRows(await openContext(addon.bindings, options), options.rows)
  return { readiness: { versions: addon.versions }, measure: what => measure(what, rows) }
})
