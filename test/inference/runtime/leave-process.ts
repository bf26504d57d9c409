import { openModelRunner } from '../../../src/inference/runtime/onnx-model-runner.ts'
import { tokens } from './open-tiny.ts'

/** Run in a separate process: uses a runner, then exits in the way given by its argument. */
const [way, options = ''] = process.argv.slice(2)
const runner = await openModelRunner(JSON.parse(options))
await runner.prefill(0, 0, tokens(64), [63])
await runner.decode([1], [64])

const ways: Record<string, () => void> = {
  closed: () => runner.close(),
  open: () => {},
  exit: () => process.exit(0),
  'exit at the start of a run': () => {
    startRun()
    process.exit(0)
  },
  'exit in a run': () => {
    startRun()
    setTimeout(() => process.exit(0), 8)
  },
  'end with a run': startRun
}

function startRun(): void {
  runner.prefill(0, 0, tokens(512), [511]).catch(() => {})
}

ways[way ?? '']?.()
