import type { Determinism } from '../../inference/engine/determinism-probe.ts'
import type { PreparedModel } from '../../inference/model/prepared-model.ts'
import { errorMessage } from '../error-facts.ts'
import { type Finding, info, ok, problem } from './finding.ts'

/** Enough for the probe, which uses two rows and a few dozen tokens. */
const SLOTS = 2
const CONTEXT = 128

/** Loads the model as a worker does, and checks whether its results depend on batching and chunking. */
export async function checkDeterminism(model: PreparedModel, threads: number): Promise<readonly Finding[]> {
  const startedMs = performance.now()
  try {
    const { openModelRunner } = await import('../../inference/runtime/onnx-model-runner.ts')
    const { probeDeterminism } = await import('../../inference/engine/determinism-probe.ts')
    const contextLength = Math.min(CONTEXT, model.contextLength)
    const runner = await openModelRunner({ ...model, contextLength, slots: SLOTS, blocks: 0, threads, spinning: false })
    const loaded = ok('loading', `the model loads and runs (${((performance.now() - startedMs) / 1000).toFixed(1)} s)`)
    try {
      return [loaded, ...determinismFindings(await probeDeterminism(runner))]
    } finally {
      runner.close()
    }
  } catch (error) {
    return [problem('loading', `the model cannot be loaded or run: ${errorMessage(error)}`, 'npm ci, then npx everstream models verify')]
  }
}

export function determinismFindings({ loneRowDiffers, cutsDiffer }: Determinism): readonly Finding[] {
  return [
    loneRowDiffers
      ? info(
          'batching',
          'a sequence computed alone gives different bits than in a batch: the engine adds a dummy row, which is slightly slower'
        )
      : ok('batching', 'a sequence gives the same bits alone and in a batch'),
    cutsDiffer
      ? info('prefix cache', 'a prompt computed in chunks gives different bits than in one piece: prefixes are not reused between requests')
      : ok('prefix cache', 'a prompt gives the same bits in any chunks: its prefix can be reused by later requests')
  ]
}
