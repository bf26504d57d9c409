import { openModelRunner } from '../../../src/inference/runtime/onnx-model-runner.ts'
import { tokens } from './open-tiny.ts'

/**
 * Run in a separate process with --expose-gc: prints its growth in bytes in each of five rounds with runs of every
 * kind.
 */
const [runs = '', options = ''] = process.argv.slice(2)
const runner = await openModelRunner(JSON.parse(options))

async function work(count: number): Promise<number> {
  for (let run = 0; run < count; run++) {
    const rows = 1 + (run % runner.slots)
    if (run % 2 === 0) await runner.prefill(rows - 1, 0, tokens(2 + (run % 97), run), [0, 1].slice(0, run % 3))
    else
      await runner.decode(
        tokens(rows, run),
        tokens(rows, run).map(past => past + 1)
      )
    if (run % 50 === 0) runner.copyRow(rows - 1, rows % runner.rows, 20)
    if (run % 20 === 0) runner.saveBlock(rows - 1, run % 64, run % runner.blocks)
    if (run % 30 === 0) runner.loadBlock(run % runner.blocks, rows - 1, run % 64)
    if (run % 40 === 0) runner.releaseBlock(run % runner.blocks)
    if (run % 100 === 0) runner.releaseRow(rows - 1)
    if (run % 500 === 0) await refused()
  }
  globalThis.gc?.()
  // Without memory that V8 keeps in reserve.
  const { rss, heapTotal, heapUsed } = process.memoryUsage()
  return rss - heapTotal + heapUsed
}

/** Errors must not leak either. */
async function refused(): Promise<void> {
  const run = runner.prefill(0, 0, tokens(200), [])
  runner.terminate()
  await run.catch(() => {})
}

const growths: number[] = []
let before = await work(Number(runs))
for (let round = 0; round < 5; round++) {
  const after = await work(Number(runs))
  growths.push(after - before)
  before = after
}
process.stdout.write(JSON.stringify(growths))
runner.close()
