import type { RowTable } from '../cache/row-table.ts'
import type { ModelRunner } from '../contract/model-runner.ts'
import type { DecodePlan, PrefillPlan } from '../scheduler/plan-step.ts'
import type { PromptRun } from './request/prompt-run.ts'
import type { Sequence } from './request/sequence.ts'

/** A planned run and the sequences whose positions it computes, in row order. */
export type Batch = PrefillBatch | DecodeBatch

export interface PrefillBatch {
  readonly kind: 'prefill'
  readonly plan: PrefillPlan
  readonly prompt: PromptRun
  /** The prompt's leader. */
  readonly sequences: readonly Sequence[]
}

export interface DecodeBatch {
  readonly kind: 'decode'
  readonly plan: DecodePlan
  readonly sequences: readonly Sequence[]
}

/** Runs a batch. @returns float32 [R, V], one row per logit index, or per decoding row and dummy row */
export function runBatch(batch: Batch, rows: RowTable<Sequence>, runner: ModelRunner): Promise<Float32Array> {
  if (batch.kind === 'prefill') {
    const { row, from, to, logitIndices } = batch.plan
    return runner.prefill(row, from, batch.prompt.leader.prefillTokenIds.slice(from, to), logitIndices)
  }
  const tokenIds = batch.sequences.map(sequence => sequence.nextTokenId)
  const pasts = batch.sequences.map(sequence => sequence.computed)
  for (let dummy = 0; dummy < batch.plan.dummyRows; dummy++) {
    tokenIds.push(0)
    pasts.push(rows.dummyPast(batch.plan.rows + dummy, runner.contextLength))
  }
  return runner.decode(tokenIds, pasts)
}

/**
 * Records the positions that a successful run has computed, except for a prompt that was cancelled meanwhile. After its
 * last chunk a prompt decodes, in one row per choice.
 */
export function recordBatch(batch: Batch, rows: RowTable<Sequence>): void {
  if (batch.kind === 'decode') {
    for (const sequence of batch.sequences) {
      sequence.computed++
      rows.recordComputed(sequence)
    }
    return
  }
  const { prompt, plan } = batch
  if (prompt.job.isOver) return
  prompt.advanceTo(plan.to)
  rows.recordComputed(prompt.leader)
  rows.share(prompt.leader)
  if (!prompt.isComputed) return
  rows.promote(prompt.leader)
  for (const sibling of prompt.siblings) rows.fork(prompt.leader, sibling)
}
