import type { Engine, StepEvents } from '../../../src/inference/contract/engine.ts'
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

/** An engine and everything that it has said. */
export class SimulatedHarness {
  readonly steps: StepEvents[] = []
  readonly engine: Engine
  /** What was told of steps, in order. */
  readonly received: string[] = []
  /** Called after each step. */
  onStep: () => void = () => {}

  constructor(options: { readonly slots?: number; readonly stepMs?: number } = {}) {
    this.engine = createSimulatedEngine({
      slots: options.slots ?? 8,
      contextLength: 4096,
      stepMs: options.stepMs ?? 0,
      listener: {
        events: events => {
          this.steps.push(events)
          this.received.push('step')
          this.onStep()
        },
        running: requestIds => void this.received.push(`running ${requestIds.join(' ')}`),
        advanced: requestIds => void this.received.push(`advanced ${requestIds.join(' ')}`)
      }
    })
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

  /** Submits and waits for the end of all. */
  async run(...requests: readonly GenerationRequest[]): Promise<void> {
    for (const one of requests) this.engine.submit(one)
    await this.until(() => requests.every(({ id }) => this.isOver(id)))
  }
}

/** Everything that a request alone in an engine of its own says. */
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
