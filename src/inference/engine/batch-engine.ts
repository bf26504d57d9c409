import { setImmediate as nextTurn } from 'node:timers/promises'
import { RowTable } from '../cache/row-table.ts'
import type { Engine, EngineDescription } from '../contract/engine.ts'
import { ServiceError } from '../contract/errors.ts'
import type { LoggedEvent } from '../contract/events.ts'
import { invariant } from '../contract/invariant.ts'
import type { GenerationRequest } from '../contract/request.ts'
import type { EngineStatistics } from '../contract/statistics.ts'
import { SamplingScratch } from '../sampling/sampling-scratch.ts'
import { type Batch, recordBatch, runBatch } from './batch.ts'
import type { BatchEngineOptions } from './batch-engine-options.ts'
import { BatchScheduler } from './batch-scheduler.ts'
import { EventBuffer } from './event-buffer.ts'
import type { Job } from './request/job.ts'
import { JobRegistry } from './request/job-registry.ts'
import type { Sequence, SequenceParts } from './request/sequence.ts'
import { waitingGroups } from './request/waiting-groups.ts'
import { ResumedSequences } from './resumed-sequences.ts'
import { RunReporter } from './run-reporter.ts'
import { type LogitsShape, type Sample, sampleBatch } from './sample-batch.ts'
import { StepMetrics } from './step-metrics.ts'

/** Continuous batching: schedule → run → sample → apply, one step after the other for as long as there is work. */
export class BatchEngine implements Engine {
  readonly description: EngineDescription
  readonly #options: BatchEngineOptions
  readonly #rows: RowTable<Sequence>
  readonly #resumed: ResumedSequences
  readonly #scheduler: BatchScheduler
  readonly #jobs: JobRegistry
  readonly #logitsShape: LogitsShape
  readonly #sequenceParts: SequenceParts
  readonly #metrics: StepMetrics
  readonly #reporter: RunReporter
  readonly #events: EventBuffer
  readonly #loop: Promise<void>
  #wake: () => void = () => {}
  #isClosing = false

  constructor(options: BatchEngineOptions) {
    const { runner, description, listener } = options
    this.#options = options
    this.description = description
    this.#jobs = new JobRegistry(description.contextLength)
    const tokens = Math.min(runner.vocabularySize, options.text.vocabularySize)
    this.#logitsShape = { columns: runner.vocabularySize, tokens }
    this.#sequenceParts = { ...options, scratch: new SamplingScratch(tokens), vocabularySize: tokens }
    this.#metrics = new StepMetrics(options.now)
    this.#reporter = new RunReporter(listener)
    this.#rows = new RowTable(runner, {
      budgetTokens: Math.floor(description.cacheBudgetBytes / runner.cacheBytesPerToken),
      reusePrefixes: options.reusePrefixes
    })
    this.#resumed = new ResumedSequences(this.#rows, options.persistentCache)
    this.#events = new EventBuffer(events => listener.emit({ kind: 'events', events }))
    const parts = { options, rows: this.#rows, resumed: this.#resumed, jobs: this.#jobs, metrics: this.#metrics, events: this.#events }
    this.#scheduler = new BatchScheduler(parts)
    this.#loop = this.#serve().catch(options.onCrash)
  }

  get stepsDone(): number {
    return this.#metrics.stepsDone
  }

  get stepStartedAtMs(): number | null {
    return this.#metrics.startedAtMs
  }

  get statistics(): EngineStatistics {
    return { gauges: { ...this.#rows.gauges, waitingPrompts: this.#scheduler.waitingPrompts }, counters: this.#metrics.counters }
  }

  useCacheFile(descriptor: number): void {
    this.#resumed.useCacheFile(descriptor, () => this.#wake())
  }

  attachOrphanedCache(descriptor: number): void {
    this.#resumed.attachOrphanedCache(descriptor)
  }

  submit(request: GenerationRequest, history: readonly LoggedEvent[] = []): void {
    invariant(!this.#isClosing, 'a request was submitted to a closing engine')
    try {
      const job = this.#jobs.open(request, history)
      for (const choices of waitingGroups(job, this.#sequenceParts)) this.#scheduler.push(job, choices)
      // The previous worker may have died between the last token and the terminal event.
      this.#finishIfDone(job)
    } catch (error) {
      this.#reporter.reportRejected(request.id)
      this.#options.onCrash(error)
    }
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
      const batch = this.#scheduler.schedule()
      if (batch === null) await this.#wait()
      else await this.#step(batch)
    }
  }

  async #step(batch: Batch): Promise<void> {
    const logits = await this.#run(batch)
    if (logits !== null) this.#apply(this.#sample(batch, logits))
    this.#events.flush()
  }

  /** One native run. @returns null when it failed, which ends its requests and no others */
  async #run(batch: Batch): Promise<Float32Array | null> {
    const jobs = batch.sequences.map(sequence => this.#jobs.of(sequence))
    this.#reporter.before(jobs)
    try {
      const logits = await this.#metrics.time(batch.plan, () => runBatch(batch, this.#rows, this.#options.runner))
      this.#reporter.after(jobs)
      recordBatch(batch, this.#rows)
      return logits
    } catch (error) {
      this.#fail(jobs, error)
      return null
    }
  }

  #sample(batch: Batch, logits: Float32Array): readonly Sample[] {
    return sampleBatch(batch, logits, this.#logitsShape)
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

  /** Resolves when something was submitted, cancelled or closed. */
  async #wait(): Promise<void> {
    this.#events.flush()
    this.#reporter.before([])
    if (this.stepsDone > 0) this.#resumed.dropUnclaimed()
    if (this.#isClosing) return
    await new Promise<void>(resolve => {
      this.#wake = resolve
    })
    // Requests of a killed process arrive in one turn of the event loop. If their rows are attached together, none has
    // to be moved.
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
    this.#scheduler.remove(job.request.id)
  }
}
