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
import { closeConnections } from './plugins/closing-connections.ts'
import { refuseWhileDraining } from './plugins/drain.ts'
import { answerError, answerErrors } from './plugins/error-handler.ts'
import { checkHost } from './plugins/host-check.ts'
import { answerBrokenRequest, HTTP_LIMITS, limitRequests } from './plugins/limits.ts'
import { answerUnknownUrls } from './plugins/not-found.ts'
import { answerInTurn } from './plugins/pipelining.ts'
import { addResponseIds } from './plugins/request-id.ts'
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
  /** Empty: open to everyone who reaches it. */
  readonly apiKeys: readonly string[]
  /** The address the server will listen on; a loopback one answers to loopback names only. */
  readonly bindHost: string
  readonly strictParams: boolean
  /** Aborts when this process is about to go: streams that can be taken up elsewhere break off. None: never. */
  readonly leaving?: AbortSignal
  /** What is served under /admin/queues; none: nothing. */
  readonly queueBoard?: FastifyPluginCallback
  /** Unix milliseconds. */
  readonly clock: () => number
  /** None: silent. */
  readonly logger?: FastifyBaseLogger
}

/**
 * The whole HTTP side without a port: `inject` drives it in tests, `listen` serves it. Hooks run in the order of these
 * lines: a request is named and logged before it can be refused, and refused before its body is read.
 */
export function buildApp(options: AppOptions): FastifyInstance {
  const { text, card, status, metrics, clock, strictParams } = options
  const queue = metrics.metered(options.queue, clock)
  const app = fastify({
    ...HTTP_LIMITS,
    routerOptions: { ignoreTrailingSlash: true },
    ...(options.logger !== undefined && { loggerInstance: options.logger }),
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'requestId' }),
    return503OnClosing: false, // its body is not the envelope: refuseWhileDraining answers
    genReqId: () => newId('req_'),
    clientErrorHandler: answerBrokenRequest,
    frameworkErrors: answerError
  })

  answerErrors(app)
  const upgrades = routeUpgrades(app)
  closeConnections(app)
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
