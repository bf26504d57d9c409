import { createRequire } from 'node:module'
import type { ModelRunner } from '../../src/inference/contract/model-runner.ts'
import { openModelRunner } from '../../src/inference/runtime/onnx-model-runner.ts'
import type { BenchCase, BenchSamples, SideOptions } from './bench-case.ts'
import { serveSide, someTokens, timeSteps } from './bench-child.ts'
import { measureEngine } from './bench-engine.ts'

async function measure(what: BenchCase, runner: ModelRunner, rows: FilledRows, options: SideOptions): Promise<BenchSamples> {
  switch (what.kind) {
    case 'prefill':
      return { native: await timeSteps(1, () => rows.prefill(what.tokens)), between: [] }
    case 'decode':
      await rows.fill(what.rows, what.past)
      return {
        native: await timeSteps(what.steps, step =>
          runner.decode(someTokens(what.rows, step), new Array<number>(what.rows).fill(what.past + step))
        ),
        between: []
      }
    case 'engine':
      rows.forget()
      return measureEngine(runner, what, options)
  }
}

/**
 * Fills the first positions of rows with keys and values of real tokens: reading an untouched cache would be faster
 * than reading a real one.
 */
class FilledRows {
  readonly #runner: ModelRunner
  readonly #chunkTokens: number
  readonly #filled: number[]

  constructor(runner: ModelRunner, { rows, chunkTokens }: SideOptions) {
    this.#runner = runner
    this.#chunkTokens = chunkTokens
    this.#filled = new Array<number>(rows).fill(0)
  }

  forget(): void {
    this.#filled.fill(0)
  }

  async fill(rows: number, positions: number): Promise<void> {
    if ((this.#filled[0] ?? 0) < positions) await this.prefill(positions)
    for (let row = 1; row < rows; row++) {
      if ((this.#filled[row] ?? 0) >= positions) continue
      this.#runner.copyRow(0, row, positions)
      this.#filled[row] = positions
    }
  }

  /** Prefills row 0 from its start, in chunks as the engine does. */
  async prefill(tokens: number): Promise<void> {
    const ids = someTokens(tokens)
    for (let from = 0; from < tokens; from += this.#chunkTokens) {
      const chunk = ids.slice(from, from + this.#chunkTokens)
      await this.#runner.prefill(0, from, chunk, from + chunk.length === tokens ? [chunk.length - 1] : [])
    }
    this.#filled[0] = Math.max(this.#filled[0] ?? 0, tokens)
  }
}

await serveSide(async options => {
  const runner = await openModelRunner({
    ...options,
    ...options.graph,
    contextLength: options.capacity,
    slots: options.rows,
    blocks: 0
  })
  const { version } = createRequire(import.meta.url)('onnxruntime-node/package.json') as { readonly version: string }
  const rows = new FilledRows(runner, options)
  return {
    readiness: { versions: { node: process.versions.node, onnxruntime: version } },
    measure: what => measure(what, runner, rows, options)
  }
})
