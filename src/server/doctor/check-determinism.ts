import type { Determinism } from '../../inference/engine/determinism-probe.ts'
import type { PreparedModel } from '../../inference/model/prepared-model.ts'
import { type Finding, info, ok, problem, reasonOf } from './finding.ts'

/** The probe takes two rows and some tens of tokens. */
const SLOTS = 2
const CONTEXT = 128

/** Loads the model as a worker does, and looks whether equal work gives equal numbers. */
export async function checkDeterminism(model: PreparedModel, threads: number): Promise<readonly Finding[]> {
  const startedMs = performance.now()
  try {
    const { openModelRunner } = await import('../../inference/runtime/onnx-model-runner.ts')
    const { probeDeterminism } = await import('../../inference/engine/determinism-probe.ts')
    const contextLength = Math.min(CONTEXT, model.contextLength)
    const runner = await openModelRunner({ ...model, contextLength, slots: SLOTS, blocks: 0, threads, spinning: false })
    const loaded = ok('loading', `the model loads and runs (${((performance.now() - startedMs) / 1000).toFixed(1)} s)`)
    try {
      return [loaded, ...meaningOf(await probeDeterminism(runner))]
    } finally {
      runner.close()
    }
  } catch (error) {
    return [problem('loading', `the model does not run: ${reasonOf(error)}`, 'npm ci, then npx everstream models verify')]
  }
}

export function meaningOf({ loneRowDiffers, cutsDiffer }: Determinism): readonly Finding[] {
  return [
    loneRowDiffers
      ? info(
          'alone or not',
          'a text alone is computed in other numbers than among others: the engine gives it a dummy neighbour, a little slower'
        )
      : ok('alone or not', 'a text comes out the same, bit by bit, whether it runs alone or among others'),
    cutsDiffer
      ? info('prefixes', 'a prompt computed in pieces comes out in other numbers than in one: prompts are not reused between requests')
      : ok('prefixes', 'a prompt comes out the same, bit by bit, however it is cut: its beginning can be reused by later requests')
  ]
}
