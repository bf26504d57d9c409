import type { EngineSignal, StepEvents } from '../../../src/inference/contract/engine.ts'
import { isTerminal, type LoggedEvent } from '../../../src/inference/contract/events.ts'
import type { GenerationRequest } from '../../../src/inference/contract/request.ts'
import { PLAIN_SAMPLING } from '../../../src/inference/contract/sampling.ts'
import { BatchEngine } from '../../../src/inference/engine/batch-engine.ts'
import type { BatchEngineOptions } from '../../../src/inference/engine/batch-engine-options.ts'
import { aRequest } from '../../queue/a-request.ts'
import { type CacheContent, FakeRunner, type FakeRunnerOptions } from './fake-runner.ts'
import { fakeText } from './fake-text.ts'

export const GREEDY = { ...PLAIN_SAMPLING, seed: 7 }

export function request(id: string, prompt: readonly number[], changes: Partial<GenerationRequest> = {}): GenerationRequest {
  return aRequest({ id, prompts: [{ tokenIds: prompt }], maxNewTokens: 8, sampling: GREEDY, ...changes })
}

/** An engine with a fake model; records all its events and signals. */
export class EngineHarness {
  readonly runner: FakeRunner
  readonly engine: BatchEngine
  /** Signals about runs and the requests of emitted tokens, each with the number of completed runs. */
  readonly accessLog: {
    readonly kind: 'running' | 'advanced' | 'tokens'
    readonly requestIds: readonly string[]
    readonly steps: number
  }[] = []
  /** Signals of requests that continued in orphaned rows. */
  readonly adopted: (readonly string[])[] = []
  readonly #events = new Map<string, LoggedEvent[]>()
  readonly #watchers = new Set<() => void>()
  readonly #crashed: Promise<never>

  /** @param options  `orphaned`: the cache of another, killed worker of the same kind */
  constructor(options: FakeRunnerOptions & Partial<BatchEngineOptions> & { budgetTokens?: number; orphaned?: CacheContent } = {}) {
    this.runner = new FakeRunner(options)
    let crash: (error: unknown) => void = () => {}
    this.#crashed = new Promise<never>((_, reject) => {
      crash = reject
    })
    this.#crashed.catch(() => {})
    this.engine = new BatchEngine({
      runner: this.runner,
      text: fakeText,
      description: {
        modelHash: 'fake',
        architecture: 'fake',
        parameters: 0,
        vocabularySize: this.runner.vocabularySize,
        contextLength: Math.min(this.runner.contextLength, options.budgetTokens ?? this.runner.contextLength),
        slots: this.runner.slots,
        cacheBytesPerToken: 1,
        cacheBudgetBytes: options.budgetTokens ?? this.runner.slots * this.runner.contextLength
      },
      chunkTokens: options.chunkTokens ?? 8,
      loneChunkTokens: options.loneChunkTokens ?? options.chunkTokens ?? 8,
      minDecodeRows: options.minDecodeRows ?? 1,
      reusePrefixes: options.reusePrefixes ?? true,
      persistentCache: options.persistentCache ?? {
        identity: 'a model',
        moveTo: () => true,
        orphanedCacheIn: () => this.runner.orphanedCacheOf(options.orphaned ?? new FakeRunner(options))
      },
      recovery: options.recovery ?? 'exact',
      now: options.now ?? (() => 0),
      listener: { emit: signal => this.#onSignal(signal) },
      onCrash: crash
    })
  }

  /** Events emitted so far for a request. */
  events(requestId: string): readonly LoggedEvent[] {
    return this.#events.get(requestId) ?? []
  }

  /** All events of a request, after its terminal event. */
  ended(requestId: string): Promise<readonly LoggedEvent[]> {
    return this.until(() => this.events(requestId).some(isTerminal)).then(() => this.events(requestId))
  }

  /** Resolves once `isTrue` holds after a delivery; rejects if the engine crashes. */
  until(isTrue: () => boolean): Promise<void> {
    const watched = new Promise<void>(resolve => {
      const look = (): void => {
        if (!isTrue()) return
        this.#watchers.delete(look)
        resolve()
      }
      this.#watchers.add(look)
      look()
    })
    return Promise.race([watched, this.#crashed])
  }

  async run(generation: GenerationRequest, history: readonly LoggedEvent[] = []): Promise<readonly LoggedEvent[]> {
    this.engine.submit(generation, history)
    return this.ended(generation.id)
  }

  #onSignal(signal: EngineSignal): void {
    switch (signal.kind) {
      case 'events':
        this.#onEvents(signal.events)
        break
      case 'running':
      case 'advanced':
        this.accessLog.push({ ...signal, steps: this.runner.steps.length })
        break
      case 'adopted':
        this.adopted.push(signal.requestIds)
        break
      case 'heartbeat':
        break
      default:
        signal satisfies never
    }
  }

  #onEvents(events: StepEvents): void {
    const requestIds = events.filter(({ event }) => event.kind === 'token').map(({ requestId }) => requestId)
    if (requestIds.length > 0) this.accessLog.push({ kind: 'tokens', requestIds, steps: this.runner.steps.length })
    for (const { requestId, event } of events) {
      const received = this.#events.get(requestId)
      if (received === undefined) this.#events.set(requestId, [event])
      else received.push(event)
    }
    for (const watcher of [...this.#watchers]) watcher()
  }
}

/** Runs the request alone in an engine without reuse and with prompts in one chunk: the undisturbed run. */
export async function alone(generation: GenerationRequest): Promise<readonly LoggedEvent[]> {
  const harness = new EngineHarness({ reusePrefixes: false, chunkTokens: 256 })
  const events = await harness.run(generation)
  await harness.engine.close()
  return events
}

/** Events by choice, without cached tokens: the part that must not depend on other requests. */
export function byChoice(events: readonly LoggedEvent[]): unknown {
  const choices: LoggedEvent[][] = []
  const others: LoggedEvent[] = []
  for (const event of events) {
    if (event.kind === 'token') choices[event.choice] = [...(choices[event.choice] ?? []), { ...event, cachedTokens: 0 }]
    else others.push(event.kind === 'finished' ? { ...event, usage: { ...event.usage, cachedTokens: 0 } } : event)
  }
  return { choices, others }
}
