import type { FastifyRequest } from 'fastify'
import type { OnDisconnect } from '../../../inference/contract/delivery-policy.ts'
import type { ErrorCode } from '../../../inference/contract/errors.ts'
import { type ChoiceEnd, isTerminal, type Timings, type TokenEvent } from '../../../inference/contract/events.ts'
import { choiceCount, type GenerationRequest, promptTokensOf } from '../../../inference/contract/request.ts'
import type { QueueEvent } from '../../../queue/queue.ts'

/** What the access log contains of a request. Numbers and names only: no text of prompts or responses, and no keys. */
export interface RequestFacts extends Timings {
  readonly streamId: string
  readonly model: string
  readonly stream: boolean
  readonly onDisconnect: OnDisconnect
  readonly promptTokens: number
  readonly completionTokens: number
  readonly cachedTokens: number
  /** Number of choices by finish reason. */
  readonly finishReasons: Readonly<Record<ChoiceEnd['reason'], number>>
  /** null while the request runs, and if the client disconnected before its end. */
  readonly outcome: 'finished' | ErrorCode | null
}

/** Receives the facts of a request for the log line at its end. */
export interface AccessLog {
  attach(request: FastifyRequest, facts: () => RequestFacts): void
}

/**
 * Accumulates the facts of one request from its events. They are valid at any time, because a client may disconnect
 * early.
 */
export interface RequestStats {
  push(event: TokenEvent): void
  facts(): RequestFacts
}

export function openRequestStats(request: GenerationRequest, model: string, stream: boolean): RequestStats {
  const finishReasons: Record<ChoiceEnd['reason'], number> = { stop: 0, length: 0 }
  const promptTokens = promptTokensOf(request)
  let timings: Timings = { queueMs: 0, prefillMs: 0, decodeMs: 0 }
  let completionTokens = 0
  let cachedTokens = 0
  let outcome: RequestFacts['outcome'] = null
  return {
    push(event) {
      if (event.kind === 'token') {
        completionTokens += request.standsFor
        if (event.end !== null) finishReasons[event.end.reason] += request.standsFor
      }
      if (event.kind === 'finished') {
        timings = event.timings
        completionTokens = event.usage.completionTokens
        cachedTokens = event.usage.cachedTokens
        finishReasons.length = choiceCount(request) * request.standsFor - finishReasons.stop
      }
      if (isTerminal(event)) outcome = event.kind === 'finished' ? 'finished' : event.failure.code
    },
    facts() {
      return {
        streamId: request.id,
        model,
        stream,
        onDisconnect: request.delivery.onDisconnect,
        promptTokens,
        completionTokens,
        cachedTokens,
        ...timings,
        finishReasons: { ...finishReasons },
        outcome
      }
    }
  }
}

/** Passes batches through and counts their events. */
export async function* counted(
  batches: AsyncIterable<readonly QueueEvent[]>,
  stats: RequestStats
): AsyncGenerator<readonly QueueEvent[], void> {
  for await (const batch of batches) {
    for (const { event } of batch) stats.push(event)
    yield batch
  }
}
