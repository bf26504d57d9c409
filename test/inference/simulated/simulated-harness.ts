import type { Engine, EngineSignal, StepEvents } from '../../../src/inference/contract/engine.ts'
import { type GeneratedTokenEvent, isTerminal, type LoggedEvent } from '../../../src/inference/contract/events.ts'
import type { GenerationRequest } from '../../../src/inference/contract/request.ts'
import { PLAIN_SAMPLING } from '../../../src/inference/contract/sampling.ts'
import { createSimulatedEngine } from '../../../src/inference/simulated/simulated-engine.ts'
import { encodeSimulated } from '../../../src/inference/simulated/vocabulary.ts'
import { aRequest } from '../../queue/a-request.ts'

export function request(id: string, changes: Partial<GenerationRequest> = {}): GenerationRequest {
  const sampling = { ...PLAIN_SAMPLING, temperature: 1, seed: 7 }
  return aRequest({ id, prompts: [{ tokenIds: encodeSimulated('once upon') }], maxNewTokens: 8, sampling, ...changes })
}

/** An engine and everything that it has emitted. */
export class SimulatedHarness {
  readonly steps: StepEvents[] = []
  readonly engine: Engine
  /** All signals, in order: `step`, or the kind and the request ids. */
  readonly received: string[] = []
  /** Called after each step. */
  onStep: () => void = () => {}

  constructor(options: { readonly slots?: number; readonly stepMs?: number } = {}) {
    this.engine = createSimulatedEngine({
      slots: options.slots ?? 8,
      contextLength: 4096,
      stepMs: options.stepMs ?? 0,
      listener: { emit: signal => this.#onSignal(signal) }
    })
  }

  #onSignal(signal: EngineSignal): void {
    if (signal.kind === 'events') {
      this.steps.push(signal.events)
      this.received.push('step')
      this.onStep()
    } else if (signal.kind !== 'heartbeat') {
      this.received.push(`${signal.kind} ${signal.requestIds.join(' ')}`)
    }
  }

  events(requestId: string): LoggedEvent[] {
    return this.steps.flatMap(events => events.filter(one => one.requestId === requestId).map(({ event }) => event))
  }

  tokens(requestId: string): GeneratedTokenEvent[] {
    return this.events(requestId).filter(event => event.kind === 'token')
  }

  isOver(requestId: string): boolean {
    return this.events(requestId).some(isTerminal)
  }

  until(condition: () => boolean): Promise<void> {
    return new Promise(resolve => {
      this.onStep = () => {
        if (condition()) resolve()
      }
    })
  }

  /** Submits the requests and waits until all have ended. */
  async run(...requests: readonly GenerationRequest[]): Promise<void> {
    for (const one of requests) this.engine.submit(one)
    await this.until(() => requests.every(({ id }) => this.isOver(id)))
  }
}

/** All events of a request that has an engine to itself. */
export async function alone(one: GenerationRequest): Promise<LoggedEvent[]> {
  const harness = new SimulatedHarness({ slots: 128 })
  await harness.run(one)
  return harness.events(one.id)
}

/** Without durations and times. */
export function timeless(event: LoggedEvent): LoggedEvent {
  if (event.kind === 'finished') return { ...event, timings: { queueMs: 0, prefillMs: 0, decodeMs: 0 } }
  return event.kind === 'started' || event.kind === 'token' ? { ...event, atMs: 0 } : event
}

/** Text of a choice. */
export function textOf(tokens: readonly GeneratedTokenEvent[], choice = 0): string {
  return tokens.flatMap(token => (token.choice === choice ? [token.text] : [])).join('')
}
