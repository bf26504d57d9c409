import type { RowTable } from '../cache/row-table.ts'
import { invariant } from '../contract/invariant.ts'
import {
  type AdmitPlan,
  type AttachPlan,
  type DecodePlan,
  type PrefillPlan,
  planStep,
  type RequeuePlan,
  type SchedulerState
} from '../scheduler/plan-step.ts'
import { planReuse, reusableTokens } from '../scheduler/prefix-reuse.ts'
import { WaitQueue } from '../scheduler/wait-queue.ts'
import type { Batch } from './batch.ts'
import type { BatchEngineOptions } from './batch-engine-options.ts'
import type { EventBuffer } from './event-buffer.ts'
import type { Job } from './request/job.ts'
import type { JobRegistry } from './request/job-registry.ts'
import { PromptRun, type WaitingChoice } from './request/prompt-run.ts'
import type { Sequence } from './request/sequence.ts'
import { toPromptGroup } from './request/waiting-groups.ts'
import type { ResumedSequences } from './resumed-sequences.ts'
import type { StepMetrics } from './step-metrics.ts'

export interface BatchSchedulerParts {
  readonly options: Pick<
    BatchEngineOptions,
    'chunkTokens' | 'loneChunkTokens' | 'minDecodeRows' | 'reusePrefixes' | 'text' | 'now' | 'listener'
  >
  readonly rows: RowTable<Sequence>
  readonly resumed: ResumedSequences
  readonly jobs: JobRegistry
  readonly metrics: StepMetrics
  readonly events: EventBuffer
}

/** Maintains the input of `planStep`, and applies the plans that need no run. */
export class BatchScheduler {
  readonly #parts: BatchSchedulerParts
  readonly #waiting = new WaitQueue<WaitingChoice>()
  /** The prompt in prefill. */
  #prompt: PromptRun | null = null
  #isDecodeDue = false

  constructor(parts: BatchSchedulerParts) {
    this.#parts = parts
  }

  get waitingPrompts(): number {
    return this.#waiting.length
  }

  /** @param choices  of one prompt, which may share a prefill */
  push(job: Job, choices: readonly WaitingChoice[]): void {
    this.#waiting.push(toPromptGroup(job, this.#parts.resumed.claim(choices)))
  }

  remove(requestId: string): void {
    this.#waiting.remove(requestId)
    this.#parts.resumed.remove(requestId)
  }

  /** Decides the next run; between runs only. @returns null when there is nothing to do until a request is submitted */
  schedule(): Batch | null {
    const { resumed, rows, options } = this.#parts
    this.#releaseRows()
    resumed.dropExpired()
    this.#isDecodeDue &&= rows.decodingRows > 0
    const adopted = new Set<string>()
    let batch: Batch | null | undefined
    while (batch === undefined) {
      const plan = planStep(this.#state())
      switch (plan.kind) {
        case 'attach':
        case 'requeue':
          for (const job of this.#resume(plan)) adopted.add(job.request.id)
          break
        case 'admit':
          this.#admit(plan)
          break
        case 'wait':
          batch = null
          break
        default:
          batch = this.#toBatch(plan)
      }
    }
    if (adopted.size > 0) options.listener.emit({ kind: 'adopted', requestIds: [...adopted] })
    return batch
  }

  /** Frees the rows of requests that are over. A completely computed prompt already decodes. */
  #releaseRows(): void {
    const { rows, jobs } = this.#parts
    if (this.#prompt?.isComputed === true) this.#prompt = null
    if (this.#prompt?.job.isOver === true) {
      rows.close(this.#prompt.leader)
      this.#prompt = null
    }
    for (const sequence of rows.decoding()) if (jobs.of(sequence).isOver) rows.close(sequence)
  }

  #state(): SchedulerState {
    const { options, rows, resumed } = this.#parts
    const prompt = this.#prompt
    return {
      limits: options,
      room: rows.room,
      decodingRows: rows.decodingRows,
      isDecodeDue: this.#isDecodeDue,
      prompt: prompt === null ? null : prompt.stateIn(rows.rowOf(prompt.leader)),
      resumed: resumed.state(),
      waiting: this.#waiting.groups
    }
  }

  #toBatch(plan: PrefillPlan | DecodePlan): Batch {
    this.#isDecodeDue = plan.kind === 'prefill'
    if (plan.kind === 'decode') return { kind: 'decode', plan, sequences: this.#parts.rows.decoding() }
    const prompt = this.#prompt
    invariant(prompt !== null, 'a chunk is planned without a prompt')
    return { kind: 'prefill', plan, prompt, sequences: [prompt.leader] }
  }

  /** @returns the request, if its choice continues in its orphaned row; otherwise the choice is recomputed */
  #resume(plan: AttachPlan | RequeuePlan): readonly Job[] {
    const { resumed, jobs, options } = this.#parts
    const choice = resumed.take(plan.index)
    const { job, sequence } = choice
    if (plan.kind === 'attach' && resumed.attach(choice, plan.positions, options.text)) {
      jobs.bind(sequence, job)
      job.start(options.now())
      return [job]
    }
    this.#waiting.push(toPromptGroup(job, [choice]))
    return []
  }

  #admit({ choices }: AdmitPlan): void {
    const { options, jobs, metrics, events } = this.#parts
    const prompt = new PromptRun(this.#waiting.take(choices), options.text)
    const { job, leader } = prompt
    for (const sequence of prompt.sequences) jobs.bind(sequence, job)
    leader.computed = this.#openRow(prompt)
    metrics.countReuse(prompt.isScored ? 0 : leader.promptTokenIds.length, leader.computed)
    job.countCached(prompt.promptIndex, leader.computed)
    events.push(job, ...job.start(options.now()), ...(prompt.echo?.events() ?? []))
    events.flush()
    this.#prompt = prompt
  }

  /** Binds a row to the prompt. @returns the positions that are already computed */
  #openRow({ leader, isScored }: PromptRun): number {
    const { options, rows } = this.#parts
    const reusable = reusableTokens(leader.promptTokenIds.length, isScored)
    const { orphanedTokens, storedTokens } = planReuse({
      reusableTokens: reusable,
      storedTokens: rows.storedTokens(leader, reusable),
      orphanedTokens: rows.orphanOf(leader.key)?.computed ?? 0,
      reusePrefixes: options.reusePrefixes
    })
    if (orphanedTokens > 0 && rows.attachOrphan(leader, orphanedTokens)) return orphanedTokens
    return rows.open(leader, storedTokens)
  }
}
