import type { FastifyRequest } from 'fastify'
import { PLAIN_DELIVERY } from '../../src/inference/contract/delivery-policy.ts'
import { ServiceError } from '../../src/inference/contract/errors.ts'
import type { FinishedEvent, LoggedEvent } from '../../src/inference/contract/events.ts'
import type { GenerationRequest } from '../../src/inference/contract/request.ts'
import type { TextPort } from '../../src/inference/contract/text-port.ts'
import type { GenerationQueue, QueueEvent } from '../../src/queue/queue.ts'
import { completionApi } from '../../src/routes/completions/api.ts'
import type { Status } from '../../src/routes/health/status.ts'
import type { ModelCard } from '../../src/routes/models/model-card.ts'
import type { GenerationRouteOptions } from '../../src/routes/wire/request/generation-route.ts'

/** Literal implementations of ports, for tests of the routes. */

export const CARD: ModelCard = { servedModelName: 'tiny', contextLength: 64, created: 1_700_000_000, modelHash: 'abcdef0123456789' }

/** One token for each character: its code unit, which must be below 256. */
export const TEXT: TextPort = {
  vocabularySize: 256,
  facts: { startToken: null, endToken: null, padToken: null, chat: null, fillInTheMiddle: null, warnings: [] },
  isHealthy: true,
  leastTokens: () => 0,
  encode: async text => Array.from(text, char => char.charCodeAt(0)),
  decode: async tokenIds => String.fromCharCode(...tokenIds),
  labels: async tokenIds => tokenIds.map(tokenId => String.fromCharCode(tokenId)),
  renderChat: async () => {
    throw new ServiceError('invalid_request', 'no template')
  },
  close: async () => {}
}

export const GOOD: Status = {
  isHealthy: () => true,
  isReady: () => true,
  detail: () => ({ workers: 1 }),
  depth: async () => ({ waiting: 2, running: 3 })
}

type Script = (request: GenerationRequest, signal: AbortSignal) => AsyncIterable<readonly QueueEvent[]>

export interface LiteralQueue extends GenerationQueue {
  readonly submitted: GenerationRequest[]
  readonly cancelled: string[]
}

/** A queue that emits the events of the script for each request. */
export function literalQueue(script: Script): LiteralQueue {
  const submitted: GenerationRequest[] = []
  const cancelled: string[] = []
  return {
    submitted,
    cancelled,
    submit: async request => {
      submitted.push(request)
      return request.id
    },
    deliveryPolicy: async id => submitted.find(one => one.id === id)?.delivery ?? PLAIN_DELIVERY,
    snapshot: async () => ({ delivery: PLAIN_DELIVERY, queued: null, last: 0, end: null }),
    entries: async () => [],
    events(id, _afterOrdinal, signal) {
      const request = submitted.find(one => one.id === id)
      if (request === undefined) throw new Error(`no request ${id} was submitted`)
      return script(request, signal)
    },
    cancel: async id => void cancelled.push(id),
    position: async () => null,
    depth: async () => ({ waiting: 0, running: 0 }),
    drain: async () => {}
  }
}

/** Each event in a batch of its own, numbered from 1. */
export function inBatches(events: readonly LoggedEvent[]): Script {
  return async function* () {
    for (const [i, event] of events.entries()) yield [{ ordinal: i + 1, event }]
  }
}

/** Emits `texts` in every choice, one token each; the last one ends with `length`. */
export function emitting(...texts: readonly string[]): Script {
  return async function* (request) {
    yield* inBatches(emitted(request, texts))(request, new AbortController().signal)
  }
}

/** Does not end until the reader leaves. */
export const silent: Script = async function* (_request, signal) {
  yield [{ ordinal: 1, event: { kind: 'started' } }]
  const { promise, resolve } = Promise.withResolvers<void>()
  signal.addEventListener('abort', () => resolve(), { once: true })
  if (!signal.aborted) await promise
}

export function emitted(request: GenerationRequest, texts: readonly string[]): readonly LoggedEvent[] {
  const choices = request.prompts.length * request.choicesPerPrompt
  const tokens = texts.flatMap((text, position) =>
    Array.from({ length: choices }, (_, choice): LoggedEvent => {
      const end = position === texts.length - 1 ? ({ reason: 'length', stopString: null } as const) : null
      return { kind: 'token', choice, position, tokenId: 100 + position, text, score: null, end }
    })
  )
  const promptTokens = request.prompts.reduce((sum, { tokenIds }) => sum + tokenIds.length, 0)
  return [{ kind: 'started' }, ...tokens, finished({ promptTokens, completionTokens: choices * texts.length, cachedTokens: 0 })]
}

export function finished(usage: { promptTokens: number; completionTokens: number; cachedTokens: number }): FinishedEvent {
  return { kind: 'finished', usage, timings: { queueMs: 1, prefillMs: 2, decodeMs: 3 } }
}

export function routeOptions(queue: LiteralQueue, changes: Partial<GenerationRouteOptions> = {}): GenerationRouteOptions {
  return {
    queue,
    text: TEXT,
    card: CARD,
    dialects: [completionApi],
    accessLog: { attach: () => {} },
    leaving: new AbortController().signal,
    strictParams: false,
    callerOf: (_request: FastifyRequest) => 'caller',
    clock: () => 1_700_000_000_500,
    ...changes
  }
}

/** The events of a server-sent stream, without comments. */
export function readSse(body: string): { readonly id: string | null; readonly data: string }[] {
  return body.split('\n\n').flatMap(block => {
    const data = /^data: (.*)$/m.exec(block)?.[1]
    return data === undefined ? [] : [{ id: /^id: (.*)$/m.exec(block)?.[1] ?? null, data }]
  })
}
