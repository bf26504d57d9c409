import { type FastifyBaseLogger, type FastifyInstance, type FastifyPluginCallback, fastify, LogController } from 'fastify'
import type { TextPort } from '../inference/contract/text-port.ts'
import type { GenerationQueue } from '../queue/queue.ts'
import { docsRoute } from '../routes/docs/route.ts'
import { GENERATION_APIS } from '../routes/generation-apis.ts'
import { healthRoute } from '../routes/health/route.ts'
import type { Status } from '../routes/health/status.ts'
import { metricsRoute } from '../routes/metrics/route.ts'
import type { ModelCard } from '../routes/models/model-card.ts'
import { modelsRoute } from '../routes/models/route.ts'
import { socketRoute } from '../routes/socket/route.ts'
import { streamRoute } from '../routes/streams/route.ts'
import { renderRoute } from '../routes/tokenize/render-route.ts'
import { tokenizeRoute } from '../routes/tokenize/route.ts'
import { generationRoute } from '../routes/wire/request/generation-route.ts'
import { newId } from '../routes/wire/request/ids.ts'
import type { Metrics } from './observe/metrics.ts'
import { openApiDocument } from './openapi/document.ts'
import { OPERATIONS } from './openapi/operations.ts'
import { requireApiKey } from './plugins/auth.ts'
import { closeConnections, refuseWhileDraining } from './plugins/closing-connections.ts'
import { answerError, answerErrors } from './plugins/error-handler.ts'
import { checkHost } from './plugins/host-check.ts'
import { answerBrokenRequest, HTTP_LIMITS, limitConnections, limitRequests } from './plugins/limits.ts'
import { lingerAtClose } from './plugins/lingering-close.ts'
import { answerUnknownUrls } from './plugins/not-found.ts'
import { answerInTurn } from './plugins/pipelining.ts'
import { logRequests } from './plugins/request-log.ts'
import { routeUpgrades } from './plugins/upgrades.ts'

export const QUEUE_BOARD_PATH = '/admin/queues'

export interface AppOptions {
  readonly queue: GenerationQueue
  readonly text: TextPort
  readonly card: ModelCard
  readonly status: Status
  readonly metrics: Metrics
  readonly isDraining: () => boolean
  /** Empty: no authentication. */
  readonly apiKeys: readonly string[]
  /** The host that the server will listen on; on a loopback address only loopback names are accepted in `Host`. */
  readonly bindHost: string
  readonly strictParams: boolean
  /**
   * Aborts when this process begins to shut down: streams that can be resumed at another process are closed. None:
   * never.
   */
  readonly leaving?: AbortSignal
  /** Served at /admin/queues, if given. */
  readonly queueBoard?: FastifyPluginCallback
  /** Unix milliseconds. */
  readonly clock: () => number
  /** None: no log. */
  readonly logger?: FastifyBaseLogger
}

/**
 * Builds the HTTP application without listening. Hooks run in the order of registration: a request gets its id and its
 * log line before it can be refused, and is refused before its body is read.
 */
export function buildApp(options: AppOptions): FastifyInstance {
  const { text, card, status, metrics, clock, strictParams } = options
  const queue = metrics.metered(options.queue, clock)
  const app = fastify({
    ...HTTP_LIMITS,
    routerOptions: { ignoreTrailingSlash: true },
    ...(options.logger !== undefined && { loggerInstance: options.logger }),
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'requestId' }),
    return503OnClosing: false, // its body is not OpenAI's error object: refuseWhileDraining answers
    genReqId: () => newId('req_'),
    clientErrorHandler: answerBrokenRequest,
    frameworkErrors: answerError
  })

  answerErrors(app)
  limitConnections(app.server)
  const upgrades = routeUpgrades(app)
  closeConnections(app)
  lingerAtClose(app.server)
  answerInTurn(app.server)
  addResponseIds(app)
  const accessLog = logRequests(app, clock)
  metrics.http.watch(app)
  checkHost(app, options.bindHost)
  const auth = requireApiKey(app, options.apiKeys)
  refuseWhileDraining(app, options.isDraining)
  limitRequests(app)
  answerUnknownUrls(app)

  app.register(healthRoute, { status })
  app.register(metricsRoute, { exposition: () => metrics.exposition() })
  app.register(docsRoute, { document: () => openApiDocument(OPERATIONS) })
  app.register(modelsRoute, { card, text })
  const apis = GENERATION_APIS
  const leaving = options.leaving ?? new AbortController().signal
  const { callerOf } = auth
  const generation = { queue, text, card, accessLog, dialects: apis, leaving, strictParams, callerOf, clock }
  for (const api of apis) app.register(generationRoute(api), generation)
  app.register(tokenizeRoute, { text, card, strictParams })
  app.register(renderRoute, { apis, text, card, strictParams, clock })
  app.register(socketRoute, {
    queue,
    apis,
    text,
    card,
    strictParams,
    warn: message => app.log.warn(message),
    isDraining: options.isDraining,
    clock,
    callerOf,
    leaving,
    upgrades
  })
  app.register(streamRoute, { queue, dialects: apis, leaving, callerOf })
  if (options.queueBoard !== undefined) app.register(options.queueBoard, { prefix: QUEUE_BOARD_PATH })
  return app
}

/** Adds the id of the request and the version of OpenAI's API to every response. */
function addResponseIds(app: FastifyInstance): void {
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id)
    reply.header('openai-version', '2020-10-01')
  })
}
