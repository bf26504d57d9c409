import type { FastifyPluginAsync, FastifyRequest } from 'fastify'
import type { TextPort } from '../../inference/contract/text-port.ts'
import type { GenerationQueue } from '../../queue/queue.ts'
import type { ModelCard } from '../models/model-card.ts'
import { answerStream, answerWhole } from '../wire/answer.ts'
import { clientGone } from '../wire/client-gone.ts'
import { follow } from '../wire/follow.ts'
import { newId, newSeed } from '../wire/ids.ts'
import { reportIgnored } from '../wire/ignored-params.ts'
import { counted, type Journal, openTally } from '../wire/tally.ts'
import { type ZodTypes, zodValidator } from '../wire/zod-validator.ts'
import { admit } from './admit.ts'
import { CompletionBody, ignoredFields } from './body.ts'
import { presentCompletion } from './dialect.ts'
import { toView } from './view.ts'

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
      const presenter = presentCompletion(view)
      const batches = counted(follow(queue, { requestId: id, afterOrdinal: 0, signal: gone, cancels: true }), tally)
      if (!body.stream) {
        const completion = await answerWhole(presenter, batches, gone)
        return reply.header('openai-processing-ms', clock() - admittedAtMs).send(completion)
      }
      reply.header('openai-processing-ms', clock() - admittedAtMs)
      const { keepAliveMs } = options
      await answerStream(reply, presenter, batches, {
        gone,
        failsEarly: true,
        leaving: null,
        ...(keepAliveMs !== undefined && { keepAliveMs })
      })
      return reply
    })
}
