import { z } from 'zod'
import type { EngineDescription, EngineSignal } from '../../inference/contract/engine.ts'
import type { LoggedEvent } from '../../inference/contract/events.ts'
import { InvariantError } from '../../inference/contract/invariant.ts'
import type { GenerationRequest } from '../../inference/contract/request.ts'
import type { EngineStatistics } from '../../inference/contract/statistics.ts'
import { PreparedModel } from '../../inference/model/prepared-model.ts'
import { RedisWorkerSettings } from './redis-worker-settings.ts'

/** Parent to worker. A message that does not parse is a bug: both ends are this program. */
export type ParentMessage =
  | { readonly kind: 'start'; readonly request: GenerationRequest; readonly history: readonly LoggedEvent[] }
  /** The worker keeps its cache in this file. Sent before the first `start`. */
  | { readonly kind: 'useCacheFile'; readonly descriptor: number }
  /** The cache of a killed worker is in this file, and some of its requests may be started here. */
  | { readonly kind: 'attachOrphanedCache'; readonly descriptor: number }
  | { readonly kind: 'cancel'; readonly requestId: string }
  /** The worker claims its requests from a queue in Redis. */
  | { readonly kind: 'joinRedis'; readonly settings: RedisWorkerSettings }
  /** The worker exits when its requests have ended. Requests from Redis that do not end in time are handed back. */
  | { readonly kind: 'drain'; readonly withinMs: number }

/** Worker to parent. */
export type WorkerMessage =
  | { readonly kind: 'ready'; readonly description: EngineDescription }
  | { readonly kind: 'signal'; readonly signal: EngineSignal }
  /** The engine cannot be built, and a retry would not help. The worker ends itself. */
  | { readonly kind: 'fatal'; readonly message: string }
  /** A bug. The worker ends itself; its cache may be corrupt. */
  | { readonly kind: 'crashed'; readonly message: string }
  /** The last message of a worker that has drained. */
  | { readonly kind: 'drained' }

/**
 * Descriptors of a worker: 0 to 2 are the standard streams, 3 is the channel to the parent, and from here on they are
 * the cache files of all worker indices.
 */
export const FIRST_CACHE_DESCRIPTOR = 4

/** Checks the outline only: the request was parsed at the HTTP border, and may contain 100,000 ids. */
const RequestOutline = z.custom<GenerationRequest>(
  value => isRecord(value) && typeof value['id'] === 'string' && Array.isArray(value['prompts']) && isRecord(value['sampling'])
)

/** Checks the outline only: the event was written by an engine of this program. */
const EventOutline = z.custom<LoggedEvent>(value => isRecord(value) && typeof value['kind'] === 'string')

/** Checks the outline only, for the same reason. */
const StatisticsOutline = z.custom<EngineStatistics>(value => isRecord(value) && isRecord(value['gauges']) && isRecord(value['counters']))

const ParentMessage = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('start'), request: RequestOutline, history: z.array(EventOutline) }),
  z.strictObject({ kind: z.literal('useCacheFile'), descriptor: z.int() }),
  z.strictObject({ kind: z.literal('attachOrphanedCache'), descriptor: z.int() }),
  z.strictObject({ kind: z.literal('cancel'), requestId: z.string() }),
  z.strictObject({ kind: z.literal('joinRedis'), settings: RedisWorkerSettings }),
  z.strictObject({ kind: z.literal('drain'), withinMs: z.int().min(0) })
])

const Description = z.strictObject({
  ...PreparedModel.pick({ modelHash: true, architecture: true, vocabularySize: true, contextLength: true }).shape,
  /** 0 where there is no model. */
  parameters: PreparedModel.shape.parameters.or(z.literal(0)),
  cacheBytesPerToken: PreparedModel.shape.cacheBytesPerToken.or(z.literal(0)),
  slots: z.int().min(1),
  cacheBudgetBytes: z.number()
}) satisfies z.ZodType<EngineDescription>

/** All kinds but `events`, which `isEvents` accepts. */
const Signal = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('heartbeat'),
    progress: z.strictObject({
      stepsDone: z.int(),
      stepStartedAtMs: z.number().nullable(),
      activeRequests: z.int(),
      statistics: StatisticsOutline
    })
  }),
  z.strictObject({ kind: z.literal('running'), requestIds: z.array(z.string()) }),
  z.strictObject({ kind: z.literal('advanced'), requestIds: z.array(z.string()) }),
  z.strictObject({ kind: z.literal('adopted'), requestIds: z.array(z.string()) })
])

const WorkerMessage = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('ready'), description: Description }),
  z.strictObject({ kind: z.literal('signal'), signal: Signal }),
  z.strictObject({ kind: z.literal('fatal'), message: z.string() }),
  z.strictObject({ kind: z.literal('crashed'), message: z.string() }),
  z.strictObject({ kind: z.literal('drained') })
])

/** @throws {InvariantError} for anything else */
export function parseParentMessage(raw: unknown): ParentMessage {
  return parse(ParentMessage, raw)
}

/** @throws {InvariantError} for anything else */
export function parseWorkerMessage(raw: unknown): WorkerMessage {
  return isEvents(raw) ? raw : parse(WorkerMessage, raw)
}

/** Checks the outline only, without zod: there is one such message per step. */
function isEvents(raw: unknown): raw is Extract<WorkerMessage, { kind: 'signal' }> {
  const signal = isRecord(raw) && raw['kind'] === 'signal' ? raw['signal'] : null
  if (!isRecord(signal) || signal['kind'] !== 'events' || !Array.isArray(signal['events'])) return false
  return signal['events'].every(step => isRecord(step) && typeof step['requestId'] === 'string' && isRecord(step['event']))
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function parse<Message>(schema: z.ZodType<Message>, raw: unknown): Message {
  const { data, error } = schema.safeParse(raw)
  if (error !== undefined)
    throw new InvariantError(`a message between server and worker does not parse: ${z.prettifyError(error)}`, { cause: error })
  return data as Message
}
