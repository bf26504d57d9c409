import type { ModelRunner } from '../contract/model-runner.ts'

/** The numeric properties that this machine's kernels lack with this model. */
export interface Determinism {
  /** A row decoded alone has other logits than the same row in a batch. */
  readonly loneRowDiffers: boolean
  /** A prompt computed in two chunks has other logits than in one. */
  readonly cutsDiffer: boolean
}

const PROMPT_TOKENS = 24
const CUT = 11

/** Positions per row that the probe needs: its prompt and one more token. */
export const PROBE_POSITIONS = PROMPT_TOKENS + 1

/** Runs a short synthetic prompt both ways and compares the logits bit by bit. Uses and frees rows 0 and 1. */
export async function probeDeterminism(runner: ModelRunner): Promise<Determinism> {
  const prompt = Array.from({ length: PROMPT_TOKENS }, (_, index) => (index * 7919 + 13) % runner.vocabularySize)
  const last = [PROMPT_TOKENS - CUT - 1]
  await runner.prefill(0, 0, prompt.slice(0, CUT), [])
  const cut = (await runner.prefill(0, CUT, prompt.slice(CUT), last)).slice()
  const whole = (await runner.prefill(0, 0, prompt, [PROMPT_TOKENS - 1])).slice()
  runner.copyRow(0, 1, PROMPT_TOKENS)
  const pair = (await runner.decode([1, 1], [PROMPT_TOKENS, PROMPT_TOKENS])).slice()
  const lone = (await runner.decode([1], [PROMPT_TOKENS])).slice()
  runner.releaseRow(0)
  runner.releaseRow(1)
  return {
    loneRowDiffers: !isBitEqual(lone, pair.subarray(0, runner.vocabularySize)),
    cutsDiffer: !isBitEqual(cut, whole)
  }
}

function isBitEqual(left: Float32Array, right: Float32Array): boolean {
  return Buffer.from(left.buffer, left.byteOffset, left.byteLength).equals(Buffer.from(right.buffer, right.byteOffset, right.byteLength))
}
