import { setImmediate as nextTurn } from 'node:timers/promises'
import { RowTable } from '../cache/row-table.ts'
import type { Engine, EngineDescription } from '../contract/engine.ts'
import { ServiceError } from '../contract/errors.ts'
import type { LoggedEvent } from '../contract/events.ts'
import { invariant } from '../contract/invariant.ts'
import type { GenerationRequest } from '../contract/request.ts'
import type { EngineStatistics } from '../contract/statistics.ts'
import { SamplingScratch } from '../sampling/sampling-scratch.ts'
import { planChunk } from '../scheduler/prefill-chunk.ts'
import { WaitLine } from '../scheduler/wait-line.ts'
import type { BatchEngineOptions } from './batch-engine-options.ts'
import { decodeInputs } from './decode-inputs.ts'
import { EngineLedger, type RunWork } from './engine-ledger.ts'
import { Heirs } from './heirs.ts'
import type { Job } from './job.ts'
import { JobBook } from './job-book.ts'
import { type LogitsShape, logitsRow } from './logits-row.ts'
import { Outbox } from './outbox.ts'
import { PromptRun, type WaitingChoice } from './prompt-run.ts'
import { RunWitness } from './run-witness.ts'
import type { Sequence, SequenceParts } from './sequence.ts'
import { waitingGroups } from './waiting-groups.ts'

/** Continuous batching: plan → run → pick → apply, one prefill chunk and one decode step in turn, for as long as there is work. */
export class BatchEngine implements Engine {
  readonly description: EngineDescription
  readonly #options: BatchEngineOptions
  readonly #rows: RowTable<Sequence>
  readonly #line = new WaitLine<WaitingChoice>()
  readonly #jobs: JobBook
  readonly #shape: LogitsShape
  readonly #parts: SequenceParts
  readonly #ledger: EngineLedger
  readonly #witness: RunWitness
  readonly #outbox: Outbox
  /** Of a process that was killed. */
  readonly #heirs: Heirs
  readonly #loop: Promise<void>
  #prefilling: PromptRun | null = null
  #wake: () => void = () => {}
  #isClosing = false

  constructor(options: BatchEngineOptions) {
    const { runner, description } = options
    this.#options = options
    this.description = description
    this.#jobs = new JobBook(description.contextLength)
    this.#shape = { columns: runner.vocabularySize, tokens: Math.min(runner.vocabularySize, options.text.vocabularySize) }
    this.#parts = { ...options, scratch: new SamplingScratch(this.#shape.tokens), vocabularySize: this.#shape.tokens }
    this.#ledger = new EngineLedger(options.now)
    this.#witness = new RunWitness(options.listener)
    this.#rows = new RowTable(runner, {
      budgetTokens: Math.floor(description.cacheBudgetBytes / runner.cacheBytesPerToken),
      reusePrefixes: options.reusePrefixes
    })
    this.#heirs = new Heirs(this.#rows, options.lastingCache)
    this.#outbox = new Outbox(options.listener.events)
    this.#loop = this.#serve().catch(options.onCrash)
  }

  get stepsDone(): number {
    return this.#ledger.stepsDone
  }

  get stepStartedAtMs(): number | null {
    return this.#ledger.startedAtMs
  }

  get statistics(): EngineStatistics {
    return { load: { ...this.#rows.load, waitingPrompts: this.#line.length }, deeds: this.#ledger.deeds }
  }

  inherit(descriptor: number): void {
    this.#heirs.open(descriptor, () => this.#wake())
  }

  salvage(descriptor: number): void {
    this.#heirs.salvage(descriptor)
  }

  submit(request: GenerationRequest, history: readonly LoggedEvent[] = []): void {
    invariant(!this.#isClosing, 'a request was submitted to a closing engine')
    try {
      const job = this.#jobs.open(request, history)
      for (const choices of waitingGroups(job, this.#parts)) this.#line.push({ requestId: request.id, choices: this.#heirs.claim(choices) })
      // A worker may have died between the last token and the end.
      this.#finishIfDone(job)
    } catch (error) {
      this.#witness.blame(request.id)
      this.#options.onCrash(error)
    }
    this.#wake()
  }

  cancel(requestId: string): void {
    const job = this.#jobs.find(requestId)
    if (job !== undefined) this.#end(job)
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
      this.#sweep()
      this.#seatHeirs()
      this.#admit()
      if (this.#prefilling !== null) await this.#prefillStep(this.#prefilling)
      this.#sweep()
      if (this.#rows.decodingRows > 0) await this.#decodeStep()
      else if (this.#prefilling === null && this.#line.length === 0) await this.#rest()
    }
  }

  /** Resolves when something was submitted, cancelled or closed. */
  async #rest(): Promise<void> {
    this.#outbox.deliver()
    this.#witness.before([])
    if (this.stepsDone > 0) this.#heirs.close()
    if (this.#isClosing) return
    await new Promise<void>(resolve => {
      this.#wake = resolve
    })
    // Requests of a process that has ended come all at once, in a turn of the event loop: seated together, their rows need not be moved.
    if (this.#heirs.isOpen) await nextTurn()
  }

  #seatHeirs(): void {
    this.#heirs.sweep()
    if (this.#prefilling !== null) return
    const adopted = new Set<string>()
    for (const choice of this.#heirs.take()) {
      const { job, sequence } = choice
      const isSeated = this.#heirs.seat(choice, this.#options.text)
      this.#jobs.seat(sequence, job)
      job.start(this.#options.now())
      if (isSeated) adopted.add(job.request.id)
      else this.#line.push({ requestId: job.request.id, choices: [choice] })
    }
    if (adopted.size > 0) this.#options.listener.adopted?.([...adopted])
  }

  #admit(): void {
    if (this.#prefilling !== null) return
    const first = this.#line.peek()?.choices[0]
    if (first === undefined) return
    const choices = this.#line.take(this.#rows.roomFor(first.sequence.reservedTokens))
    if (choices.length === 0) {
      invariant(this.#rows.decodingRows > 0, 'a request waits for a row and none is in use')
      return
    }
    invariant(choices[0] !== undefined, 'a waiting group has no choices')
    const run = new PromptRun([choices[0], ...choices.slice(1)], this.#options.text)
    this.#prefilling = run
    for (const { job, sequence } of choices) this.#jobs.seat(sequence, job)
    for (const event of run.job.start(this.#options.now())) this.#outbox.say(run.job, event)
    const reusable = run.isScored ? 0 : run.leader.promptTokenIds.length
    run.leader.computed = this.#rows.open(run.leader, reusable)
    this.#ledger.reused(reusable, run.leader.computed)
    run.job.countCached(run.promptIndex, run.leader.computed)
    for (const event of run.echo?.events() ?? []) this.#outbox.say(run.job, event)
    this.#outbox.deliver()
  }

  async #prefillStep(run: PromptRun): Promise<void> {
    const { leader, job } = run
    const ids = leader.prefillTokenIds
    const most = this.#rows.decodingRows > 0 ? this.#options.chunkTokens : this.#options.loneChunkTokens
    const chunk = planChunk({ computed: leader.computed, promptTokens: ids.length }, most, run.wantedLogits)
    const row = this.#rows.rowOf(leader)
    const logits = await this.#run({ kind: 'prefill', tokens: chunk.to - chunk.from }, [job], () =>
      this.#options.runner.prefill(row, chunk.from, ids.slice(chunk.from, chunk.to), chunk.wanted)
    )
    if (logits === null || job.isOver) return
    leader.computed = chunk.to
    this.#rows.note(leader)
    this.#rows.share(leader)
    if (run.isScored && run.echo !== null) {
      const { echo } = run
      this.#read(job, () => {
        for (const index of chunk.wanted) echo.score(logitsRow(logits, index, this.#shape))
        for (const event of echo.events()) this.#outbox.say(job, event)
      })
    }
    if (run.isComputed && !job.isOver) this.#finishPrompt(run, logitsRow(logits, chunk.wanted.length - 1, this.#shape))
    this.#outbox.deliver()
  }

  /** Every choice of the prompt that has said nothing yet draws its first token from the same logits. */
  #finishPrompt(run: PromptRun, logits: Float32Array): void {
    this.#prefilling = null
    this.#rows.promote(run.leader)
    if (run.job.request.maxNewTokens === 0) {
      run.job.closeChoices(run.job.request.choicesPerPrompt)
      this.#rows.close(run.leader)
      this.#finishIfDone(run.job)
      return
    }
    const promptCodePoints = run.promptCodePoints()
    for (const sibling of run.siblings) {
      sibling.computed = run.leader.computed
      this.#rows.fork(run.leader, sibling)
    }
    for (const sequence of [run.leader, ...run.siblings]) {
      sequence.startTextAt(promptCodePoints)
      this.#catchUp(sequence, logits)
    }
  }

  async #decodeStep(): Promise<void> {
    const sequences = this.#rows.decoding()
    const { tokenIds, pasts } = decodeInputs(sequences, this.#rows, this.#options)
    const jobs = sequences.map(sequence => this.#jobs.of(sequence))
    const logits = await this.#run({ kind: 'decode', rows: jobs.length }, jobs, () => this.#options.runner.decode(tokenIds, pasts))
    if (logits === null) return
    // All before any: a sequence that ends makes another move, with all that it has computed.
    for (const sequence of sequences) {
      sequence.computed++
      this.#rows.note(sequence)
    }
    for (const [row, sequence] of sequences.entries()) this.#catchUp(sequence, logitsRow(logits, row, this.#shape))
    this.#outbox.deliver()
  }

  /** @param logits  behind the last position that is computed: while there are known tokens behind it, they tell nothing new */
  #catchUp(sequence: Sequence, logits: Float32Array): void {
    const job = this.#jobs.of(sequence)
    if (job.isOver || !sequence.isCaughtUp) return
    this.#read(job, () => {
      const event = job.countToken(sequence.advance(logits), this.#options.now())
      this.#outbox.say(job, event)
      if (event.end === null) return
      this.#rows.close(sequence)
      this.#finishIfDone(job)
    })
  }

  /** Where logits are broken, the request they are read for ends, and no other; nobody is to reuse what it has in the cache. */
  #read(job: Job, read: () => void): void {
    try {
      read()
    } catch (error) {
      this.#fail([job], error)
      this.#rows.distrust(sequence => this.#jobs.of(sequence) === job)
    }
  }

  /** One native run. A refusal of the runtime ends the requests in it, and no other: null is returned. */
  async #run(work: RunWork, jobs: readonly Job[], run: () => Promise<Float32Array>): Promise<Float32Array | null> {
    this.#witness.before(jobs)
    try {
      const logits = await this.#ledger.time(work, run)
      this.#witness.after(jobs)
      return logits
    } catch (error) {
      this.#fail(jobs, error)
      this.#outbox.deliver()
      return null
    }
  }

  #fail(jobs: readonly Job[], error: unknown): void {
    if (!(error instanceof ServiceError)) throw error
    if (this.#isClosing) return
    for (const job of new Set(jobs)) {
      if (job.isOver) continue
      this.#end(job)
      this.#outbox.say(job, { kind: 'failed', failure: error.toFailure() })
    }
  }

  #finishIfDone(job: Job): void {
    const finished = job.finished(this.#options.now())
    if (finished === null) return
    this.#outbox.say(job, finished)
    this.#end(job)
  }

  /** No event of the job follows; the next sweep frees its rows. */
  #end(job: Job): void {
    this.#jobs.close(job)
    this.#line.remove(job.request.id)
  }

  /** Between runs: rows of requests that are over are free again. */
  #sweep(): void {
    if (this.#prefilling?.job.isOver === true) {
      this.#rows.close(this.#prefilling.leader)
      this.#prefilling = null
    }
    for (const sequence of this.#rows.decoding()) if (this.#jobs.of(sequence).isOver) this.#rows.close(sequence)
  }
}
