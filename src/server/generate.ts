import { PLAIN_DELIVERY } from '../inference/contract/delivery-policy.ts'
import type { Engine } from '../inference/contract/engine.ts'
import { ServiceError } from '../inference/contract/errors.ts'
import { isTerminal, type LoggedEvent } from '../inference/contract/events.ts'
import { type GenerationRequest, PLAIN_REQUEST } from '../inference/contract/request.ts'
import { PLAIN_SAMPLING } from '../inference/contract/sampling.ts'
import { newId, newSeed } from '../routes/wire/request/ids.ts'
import { ExitError } from './config/exit-error.ts'
import type { GenerateConfig } from './config/generate-config.ts'
import type { ServedModel } from './served-model.ts'
import { createEngine } from './workers/worker-engine.ts'

export interface GenerateOptions {
  readonly config: GenerateConfig
  /** Closed at the end. */
  readonly served: ServedModel
  readonly prompt: string
  /** Receives the text in pieces, as it is generated. */
  readonly write: (text: string) => void
  /** Cancels the generation. */
  readonly signal: AbortSignal
}

export interface Generated {
  readonly promptTokens: number
  readonly tokens: number
  readonly finish: 'stop' | 'length' | 'cancelled'
  /** From the submission of the prompt to the first token. */
  readonly firstTokenMs: number
  /** After the first token. */
  readonly tokensPerSecond: number
}

/** Generates one text in this process, without a server, a queue or worker processes. */
export async function generate(options: GenerateOptions): Promise<Generated> {
  const { config, prompt, served, signal } = options
  const text = await served.text
  try {
    const request = toRequest(config, await text.encode(prompt), served)
    const stream = Promise.withResolvers<Generated>()
    const engine = await createEngine(served.engine, {
      emit: signal => {
        if (signal.kind === 'events') for (const { event } of signal.events) take(event)
      },
      onCrash: stream.reject
    })
    const take = follow(request, options, engine, stream)
    if (!signal.aborted) engine.submit(request)
    try {
      return await stream.promise
    } finally {
      await engine.close()
    }
  } finally {
    await text.close()
  }
}

function toRequest(
  { maxTokens, temperature, seed }: GenerateConfig,
  tokenIds: readonly number[],
  { card }: ServedModel
): GenerationRequest {
  if (tokenIds.length === 0) throw new ExitError(2, 'the prompt is empty')
  const room = card.contextLength - tokenIds.length
  if (room < 1) {
    throw new ExitError(
      2,
      `the prompt has ${tokenIds.length} tokens and must have at most ${card.contextLength - 1}, as the context of ${card.contextLength} includes the completion`
    )
  }
  return {
    ...PLAIN_REQUEST,
    id: newId('cmpl-'),
    prompts: [{ tokenIds }],
    maxNewTokens: Math.min(maxTokens, room),
    sampling: { ...PLAIN_SAMPLING, temperature, seed: seed ?? newSeed() },
    admittedAtMs: Date.now(),
    delivery: PLAIN_DELIVERY
  }
}

/** Returns a handler that writes the text of a request and settles `stream` at its end. */
function follow(
  request: GenerationRequest,
  { signal, write }: GenerateOptions,
  engine: Engine,
  stream: PromiseWithResolvers<Generated>
): (event: LoggedEvent) => void {
  const startedMs = performance.now()
  let firstMs = startedMs
  let tokens = 0
  let finish: Generated['finish'] = 'length'

  function end(): void {
    signal.removeEventListener('abort', cancel)
    const seconds = (performance.now() - firstMs) / 1000
    stream.resolve({
      promptTokens: request.prompts[0]?.tokenIds.length ?? 0,
      tokens,
      finish,
      firstTokenMs: firstMs - startedMs,
      tokensPerSecond: tokens > 1 && seconds > 0 ? (tokens - 1) / seconds : 0
    })
  }

  function cancel(): void {
    engine.cancel(request.id)
    finish = 'cancelled'
    end()
  }

  function take(event: LoggedEvent): void {
    if (event.kind === 'token') {
      if (tokens++ === 0) firstMs = performance.now()
      finish = event.end?.reason ?? finish
      if (event.text !== '') write(event.text)
    } else if (event.kind === 'failed') {
      stream.reject(new ServiceError(event.failure.code, event.failure.message))
    } else if (isTerminal(event)) end()
  }

  signal.addEventListener('abort', cancel)
  if (signal.aborted) cancel()
  return take
}
