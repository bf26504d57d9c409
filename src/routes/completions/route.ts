import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import { ServiceError } from '../../inference/contract/errors.ts'
import type { TextPort } from '../../inference/contract/text-port.ts'
import type { GenerationQueue, QueueEvent } from '../../queue/queue.ts'
import type { ModelCard } from '../models/model-card.ts'
import { clientGone } from '../wire/client-gone.ts'
import { throwEarlyFailure, toServiceError } from '../wire/early-failure.ts'
import { INTERNAL_ERROR, toErrorBody } from '../wire/error-body.ts'
import { follow } from '../wire/follow.ts'
import { newId, newSeed } from '../wire/ids.ts'
import { reportIgnored } from '../wire/ignored-params.ts'
import { sendSse, sseJson } from '../wire/sse.ts'
import { type Journal, openTally, type Tally } from '../wire/tally.ts'
import { type ZodTypes, zodValidator } from '../wire/zod-validator.ts'
import { admit } from './admit.ts'
import { CompletionBody, ignoredFields } from './body.ts'
import { type CompletionObject, openCompletion } from './present.ts'
import { toSseBlocks } from './sse-blocks.ts'
import { type CompletionView, toView } from './view.ts'

export interface CompletionRouteOptions {
  readonly queue: Pick<GenerationQueue, 'submit' | 'events' | 'cancel'>
  readonly text: TextPort
  readonly card: ModelCard
  readonly journal: Journal
  /** Refuse unknown fields instead of naming them in `x-ignored-params`. */
  readonly strictParams: boolean
  /** A name for whoever sent the request, that is not their key: callers share no cached prefixes. */
  readonly callerOf: (request: FastifyRequest) => string
  /** Unix milliseconds. */
  readonly clock: () => number
  readonly keepAliveMs?: number
}

type Batches = AsyncGenerator<readonly QueueEvent[], void>

/** POST /v1/completions: prompts in, texts out, whole or as a stream. */
export const completionRoute: FastifyPluginAsync<CompletionRouteOptions> = async (app, options) => {
  const { queue, text, card, journal, clock } = options

  app
    .withTypeProvider<ZodTypes>()
    .post('/v1/completions', { schema: { body: CompletionBody }, validatorCompiler: zodValidator }, async (request, reply) => {
      const { body } = request
      const gone = clientGone(reply)
      const admittedAtMs = clock()
      reportIgnored(reply, ignoredFields(body), options.strictParams)

      const id = newId('cmpl-')
      const generation = await admit(body, { text, card, newSeed, id, admittedAtMs, callerSalt: options.callerOf(request) })
      const view = toView(body, generation, card)
      const tally = openTally(generation, card.servedModelName, body.stream)
      journal.attach(request, tally.facts)

      gone.throwIfAborted()
      await queue.submit(generation)
      reply.header('x-stream-id', id)
      const batches = counted(follow(queue, id, gone), tally)
      if (!body.stream) {
        const completion = await whole(view, batches, gone)
        return reply.header('openai-processing-ms', clock() - admittedAtMs).send(completion)
      }
      reply.header('openai-processing-ms', clock() - admittedAtMs)
      return await stream(reply, view, batches, gone, options.keepAliveMs)
    })
}

async function whole(view: CompletionView, batches: Batches, gone: AbortSignal): Promise<CompletionObject> {
  const completion = openCompletion(view)
  for await (const batch of batches) {
    for (const { event } of batch) {
      if (event.kind === 'failed') throw toServiceError(event.failure)
      if (event.kind !== 'queued') completion.push(event)
    }
  }
  gone.throwIfAborted()
  return completion.toCompletion()
}

async function stream(reply: FastifyReply, view: CompletionView, batches: Batches, gone: AbortSignal, keepAliveMs?: number) {
  const onError = (error: unknown) => {
    if (error instanceof ServiceError) return sseJson(toErrorBody(error.toFailure()))
    reply.log.error({ err: error }, 'stream broke')
    return sseJson(INTERNAL_ERROR)
  }
  try {
    const blocks = toSseBlocks(view, await throwEarlyFailure(batches))
    await sendSse(reply, blocks, { gone, onError, ...(keepAliveMs !== undefined && { keepAliveMs }) })
  } finally {
    await batches.return()
  }
  return reply
}

async function* counted(batches: Batches, tally: Tally): Batches {
  for await (const batch of batches) {
    for (const { event } of batch) tally.push(event)
    yield batch
  }
}
