import { z } from 'zod'
import type { EngineDescription, StepEvents } from '../../inference/contract/engine.ts'
import type { LoggedEvent } from '../../inference/contract/events.ts'
import { InvariantError } from '../../inference/contract/invariant.ts'
import type { GenerationRequest } from '../../inference/contract/request.ts'
import type { EngineStatistics } from '../../inference/contract/statistics.ts'
import { PreparedModel } from '../../inference/model/prepared-model.ts'
import type { Progress } from '../../queue/worker/job-runner.ts'
import { RedisWorkerSettings } from './redis-worker-settings.ts'

/** Parent to worker. Both ends are ours: what does not fit is a bug. */
export type ParentMessage =
  | { readonly kind: 'start'; readonly request: GenerationRequest; readonly history: readonly LoggedEvent[] }
  /** The worker has a seat: its cache lies in this file of those that it was given. Comes before the first `start`. */
  | { readonly kind: 'useCacheFile'; readonly descriptor: number }
  /** What a killed worker was working on lies in this file: its requests may come here. */
  | { readonly kind: 'attachOrphanedCache'; readonly descriptor: number }
  | { readonly kind: 'cancel'; readonly requestId: string }
  /** To a worker that finds its requests in Redis. */
  | { readonly kind: 'joinRedis'; readonly settings: RedisWorkerSettings }
  /** Ends when what it runs has ended; what it took from Redis and does not end within this time, it gives back. */
  | { readonly kind: 'drain'; readonly withinMs: number }

/** Worker to parent. */
export type WorkerMessage =
  | { readonly kind: 'ready'; readonly description: EngineDescription }
  | { readonly kind: 'events'; readonly events: StepEvents }
  | { readonly kind: 'heartbeat'; readonly progress: Progress }
  | { readonly kind: 'running'; readonly requestIds: readonly string[] }
  | { readonly kind: 'advanced'; readonly requestIds: readonly string[] }
  | { readonly kind: 'adopted'; readonly requestIds: readonly string[] }
  /** The engine cannot be built, and would not be the next time either. */
  | { readonly kind: 'fatal'; readonly message: string }
  /** The last word of a worker that was told to drain: all that it had has been said. */
  | { readonly kind: 'drained' }

/**
 * Descriptors of a worker: 0 to 2 are the usual ones, 3 is the way to the parent, from here on the cache files of all
 * seats.
 */
export const FIRST_CACHE_DESCRIPTOR = 4

/** Requests were parsed at the HTTP border and may hold 100,000 ids: their outline is enough. */
const RequestOutline = z.custom<GenerationRequest>(
  value => isRecord(value) && typeof value['id'] === 'string' && Array.isArray(value['prompts']) && isRecord(value['sampling'])
)

/** Written by an engine of ours. */
const EventOutline = z.custom<LoggedEvent>(value => isRecord(value) && typeof value['kind'] === 'string')

/** Measured by an engine of ours. */
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

const WorkerMessage = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('ready'), description: Description }),
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
  z.strictObject({ kind: z.literal('adopted'), requestIds: z.array(z.string()) }),
  z.strictObject({ kind: z.literal('fatal'), message: z.string() }),
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

/** One per step: a look at the outline must do. */
function isEvents(raw: unknown): raw is Extract<WorkerMessage, { kind: 'events' }> {
  if (!isRecord(raw) || raw['kind'] !== 'events' || !Array.isArray(raw['events'])) return false
  return raw['events'].every(step => isRecord(step) && typeof step['requestId'] === 'string' && isRecord(step['event']))
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function parse<Message>(schema: z.ZodType<Message>, raw: unknown): Message {
  const { data, error } = schema.safeParse(raw)
  if (error !== undefined)
    throw new InvariantError(`an unknown message between server and worker: ${z.prettifyError(error)}`, { cause: error })
  return data as Message
}
