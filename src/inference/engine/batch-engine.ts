import { setImmediate as nextTurn } from 'node:timers/promises'
import { RowTable } from '../cache/row-table.ts'
import type { Engine, EngineDescription } from '../contract/engine.ts'
import { ServiceError } from '../contract/errors.ts'
import type { LoggedEvent } from '../contract/events.ts'
import { invariant } from '../contract/invariant.ts'
import type { GenerationRequest } from '../contract/request.ts'
import type { EngineStatistics } from '../contract/statistics.ts'
import { SamplingScratch } from '../sampling/sampling-scratch.ts'
import {
  type AdmitPlan,
  type AttachPlan,
  type DecodePlan,
  type PrefillPlan,
  planStep,
  type RequeuePlan,
  type SchedulerState,
  type WaitPlan
} from '../scheduler/plan-step.ts'
import { WaitQueue } from '../scheduler/wait-queue.ts'
import { type Batch, recordBatch, runBatch } from './batch.ts'
import type { BatchEngineOptions } from './batch-engine-options.ts'
import { EventBuffer } from './event-buffer.ts'
import type { Job } from './job.ts'
import { JobRegistry } from './job-registry.ts'
import { openRow } from './open-row.ts'
import { PromptRun, type WaitingChoice } from './prompt-run.ts'
import { ResumedSequences } from './resumed-sequences.ts'
import { RunReporter } from './run-reporter.ts'
import { type Sample, sampleBatch } from './sample-batch.ts'
import type { Sequence } from './sequence.ts'
import { StepMetrics } from './step-metrics.ts'
import { toPromptGroup, waitingGroups } from './waiting-groups.ts'

/** Continuous batching: schedule → run → sample → apply, one step after the other for as long as there is work. */
export class BatchEngine implements Engine {
  readonly description: EngineDescription
  readonly #options: BatchEngineOptions
  readonly #rows: RowTable<Sequence>
  readonly #waiting = new WaitQueue<WaitingChoice>()
  readonly #resumed: ResumedSequences
  readonly #jobs: JobRegistry
  readonly #scratch: SamplingScratch
  readonly #metrics: StepMetrics
  readonly #reporter: RunReporter
  readonly #events: EventBuffer
  readonly #loop: Promise<void>
  /** In prefill. */
  #prompt: PromptRun | null = null
  #isDecodeDue = false
  #wake: () => void = () => {}
  #isClosing = false

  constructor(options: BatchEngineOptions) {
    const { runner, description, listener } = options
    this.#options = options
    this.description = description
    this.#jobs = new JobRegistry(description.contextLength)
    this.#scratch = new SamplingScratch(runner.vocabularySize)
    this.#metrics = new StepMetrics(options.now)
    this.#reporter = new RunReporter(listener)
    this.#rows = new RowTable(runner, {
      budgetTokens: Math.floor(description.cacheBudgetBytes / runner.cacheBytesPerToken),
      reusePrefixes: options.reusePrefixes
    })
    this.#resumed = new ResumedSequences(this.#rows, options.persistentCache)
    this.#events = new EventBuffer(listener.events)
    this.#loop = this.#serve().catch(options.onCrash)
  }

  get stepsDone(): number {
    return this.#metrics.stepsDone
  }

  get stepStartedAtMs(): number | null {
    return this.#metrics.startedAtMs
  }

  get statistics(): EngineStatistics {
    return { gauges: { ...this.#rows.gauges, waitingPrompts: this.#waiting.length }, counters: this.#metrics.counters }
  }

  useCacheFile(descriptor: number): void {
    this.#resumed.useCacheFile(descriptor, () => this.#wake())
  }

  attachOrphanedCache(descriptor: number): void {
    this.#resumed.attachOrphanedCache(descriptor)
  }

  submit(request: GenerationRequest, history: readonly LoggedEvent[] = []): void {
    invariant(!this.#isClosing, 'a request was submitted to a closing engine')
    const job = this.#jobs.open(request, history)
    const parts = { ...this.#options, scratch: this.#scratch, vocabularySize: this.#options.runner.vocabularySize }
    for (const choices of waitingGroups(job, parts)) this.#waiting.push(toPromptGroup(job, this.#resumed.claim(choices)))
    // A worker may have died between the last token and the end.
    this.#finishIfDone(job)
    this.#wake()
  }

  cancel(requestId: string): void {
    const job = this.#jobs.find(requestId)
    if (job === undefined) return
    this.#end(job)
    this.#wake()
  }

  async close(): Promise<void> {
    this.#isClosing = true
    this.#options.runner.terminate()
    this.#wake()
    await this.#loop
    this.#options.runner.close()
  }

  async #serve(): Promise<void> {
    while (!this.#isClosing) {
      const batch = this.#schedule()
      if (batch === null) await this.#wait()
      else await this.#step(batch)
    }
  }

  async #step(batch: Batch): Promise<void> {
    const logits = await this.#run(batch)
    if (logits !== null) this.#apply(this.#sample(batch, logits))
    this.#isDecodeDue = batch.kind === 'prefill'
    this.#events.flush()
  }

  /** Applies plans that need no run, until one does. @returns null when there is nothing to run */
  #schedule(): Batch | null {
    this.#releaseRows()
    this.#isDecodeDue &&= this.#rows.decodingRows > 0
    this.#resumed.dropExpired()
    const adopted = new Set<string>()
    for (;;) {
      const plan = planStep(this.#state())
      switch (plan.kind) {
        case 'attach':
        case 'requeue': {
          const job = this.#resume(plan)
          if (job !== null) adopted.add(job.request.id)
          break
        }
        case 'admit':
          this.#admit(plan)
          break
        default:
          if (adopted.size > 0) this.#options.listener.adopted?.([...adopted])
          return this.#toBatch(plan)
      }
    }
  }

  /** One native run. @returns null when it failed, which ends its requests and no others */
  async #run(batch: Batch): Promise<Float32Array | null> {
    const jobs = batch.sequences.map(sequence => this.#jobs.of(sequence))
    this.#reporter.before(jobs)
    try {
      const logits = await this.#metrics.time(batch.plan, () => runBatch(batch, this.#rows, this.#options.runner))
      this.#reporter.after(jobs)
      recordBatch(batch, this.#rows)
      if (this.#prompt?.isComputed === true) this.#prompt = null
      return logits
    } catch (error) {
      this.#fail(jobs, error)
      return null
    }
  }

  #sample(batch: Batch, logits: Float32Array): readonly Sample[] {
    return sampleBatch(batch, logits, this.#options.runner.vocabularySize)
  }

  #apply(samples: readonly Sample[]): void {
    for (const sample of samples) {
      const { sequence } = sample
      const job = this.#jobs.of(sequence)
      if (job.isOver) continue
      switch (sample.kind) {
        case 'prompt':
          this.#events.push(job, ...sample.events)
          if (!sample.isEnd) break
          job.closeChoices(job.request.choicesPerPrompt)
          this.#endSequence(sequence, job)
          break
        case 'token':
          this.#events.push(job, job.countToken(sample.token, this.#options.now()))
          if (sample.token.end !== null) this.#endSequence(sequence, job)
          break
        case 'failure':
          this.#fail([job], sample.error)
          this.#rows.distrust(other => this.#jobs.of(other) === job)
          break
        default:
          sample satisfies never
      }
    }
  }

  #state(): SchedulerState {
    const prompt = this.#prompt
    return {
      limits: this.#options,
      room: this.#rows.room,
      decodingRows: this.#rows.decodingRows,
      isDecodeDue: this.#isDecodeDue,
      prompt: prompt === null ? null : prompt.stateIn(this.#rows.rowOf(prompt.leader)),
      resumed: this.#resumed.state(),
      waiting: this.#waiting.groups
    }
  }

  #toBatch(plan: PrefillPlan | DecodePlan | WaitPlan): Batch | null {
    if (plan.kind === 'wait') return null
    if (plan.kind === 'decode') return { kind: 'decode', plan, sequences: this.#rows.decoding() }
    const prompt = this.#prompt
    invariant(prompt !== null, 'a chunk is planned of no prompt')
    return { kind: 'prefill', plan, prompt, sequences: [prompt.leader] }
  }

  /** @returns the request whose choice decodes on in its orphaned row; null where it must be computed again */
  #resume(plan: AttachPlan | RequeuePlan): Job | null {
    const choice = this.#resumed.take(plan.index)
    const { job, sequence } = choice
    if (plan.kind === 'attach' && this.#resumed.attach(choice, plan.positions, this.#options.text)) {
      this.#jobs.bind(sequence, job)
      job.start(this.#options.now())
      return job
    }
    this.#waiting.push(toPromptGroup(job, [choice]))
    return null
  }

  #admit({ choices }: AdmitPlan): void {
    const { text, reusePrefixes, now } = this.#options
    const prompt = new PromptRun(this.#waiting.take(choices), text)
    const { job, leader } = prompt
    for (const sequence of prompt.sequences) this.#jobs.bind(sequence, job)
    leader.computed = openRow(prompt, this.#rows, reusePrefixes)
    this.#metrics.countReuse(prompt.isScored ? 0 : leader.promptTokenIds.length, leader.computed)
    job.countCached(prompt.promptIndex, leader.computed)
    this.#events.push(job, ...job.start(now()), ...(prompt.echo?.events() ?? []))
    this.#events.flush()
    this.#prompt = prompt
  }

  /** Resolves when something was submitted, cancelled or closed. */
  async #wait(): Promise<void> {
    this.#events.flush()
    this.#reporter.before([])
    if (this.stepsDone > 0) this.#resumed.dropUnclaimed()
    if (this.#isClosing) return
    await new Promise<void>(resolve => {
      this.#wake = resolve
    })
    // Requests of a process that has ended arrive together, in one turn of the event loop: attached together, their rows need not be moved.
    if (this.#resumed.isClaimable) await nextTurn()
  }

  #fail(jobs: readonly Job[], error: unknown): void {
    if (!(error instanceof ServiceError)) throw error
    if (this.#isClosing) return
    for (const job of new Set(jobs)) {
      if (job.isOver) continue
      this.#end(job)
      this.#events.push(job, { kind: 'failed', failure: error.toFailure() })
    }
  }

  #endSequence(sequence: Sequence, job: Job): void {
    this.#rows.close(sequence)
    this.#finishIfDone(job)
  }

  #finishIfDone(job: Job): void {
    const finished = job.finished(this.#options.now())
    if (finished === null) return
    this.#events.push(job, finished)
    this.#end(job)
  }

  /** No event of the request follows; its rows are released before the next run. */
  #end(job: Job): void {
    this.#jobs.close(job)
    this.#waiting.remove(job.request.id)
    this.#resumed.remove(job.request.id)
  }

  /** Between runs: rows of requests that are over become free. */
  #releaseRows(): void {
    if (this.#prompt?.job.isOver === true) {
      this.#rows.close(this.#prompt.leader)
      this.#prompt = null
    }
    for (const sequence of this.#rows.decoding()) if (this.#jobs.of(sequence).isOver) this.#rows.close(sequence)
  }
}
