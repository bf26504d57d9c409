import { z } from 'zod'
import type { LoggedEvent } from '../../../inference/contract/events.ts'
import type { GenerationRequest } from '../../../inference/contract/request.ts'
import type { ScriptedRedis } from '../connection/commands.ts'
import type { RedisKeys } from '../connection/keys.ts'
import { LIFE_MS } from '../connection/lifetimes.ts'

/** TTL of the set of what a worker runs, and of the model's name: renewed every few seconds. */
export const WORKER_TTL_MS = 60_000

export interface ClaimedRequest {
  readonly epoch: number
  readonly request: GenerationRequest
  /** Deaths of workers that counted against it. */
  readonly deaths: number
}

const ClaimReply = z.union([z.tuple([z.literal('ok'), z.coerce.number(), z.string(), z.number()]), z.tuple([z.enum(['gone', 'ended'])])])

const AppendReply = z.union([
  z.tuple([z.literal('ok'), z.coerce.number()]),
  z.tuple([z.literal('gap'), z.coerce.number()]),
  z.tuple([z.enum(['fenced', 'ended', 'gone'])])
])

/** What became of an append: `ok`: ordinals up to this one are written; `gap`: write again from this ordinal. */
export type AppendReply = z.infer<typeof AppendReply>

export function parseAppendReply(raw: unknown): AppendReply {
  return AppendReply.parse(raw)
}

/** @returns null when the request has ended or is gone: its job has nothing to do */
export async function claim(redis: ScriptedRedis, keys: RedisKeys, requestId: string, workerId: string): Promise<ClaimedRequest | null> {
  const raw = await redis.streamClaim(
    keys.request(requestId),
    keys.waiting,
    keys.worker(workerId),
    requestId,
    workerId,
    LIFE_MS,
    WORKER_TTL_MS
  )
  const reply = ClaimReply.parse(raw)
  if (reply[0] !== 'ok') return null
  const [, epoch, body, deaths] = reply
  // Written by an API process of ours, which had parsed it at the HTTP border.
  return { epoch, request: JSON.parse(body) as GenerationRequest, deaths }
}

/** Events of the log so far, as they are written there. */
export async function readLog(redis: ScriptedRedis, keys: RedisKeys, requestId: string): Promise<string[]> {
  const entries = await redis.xrange(keys.log(requestId), '-', '+')
  return entries.map(([, fields]) => fields[1] ?? '')
}

/** @returns whether the request was this worker's */
export async function handBack(
  redis: ScriptedRedis,
  keys: RedisKeys,
  requestId: string,
  workerId: string,
  hasDied: boolean
): Promise<boolean> {
  const taken = await redis.streamHandBack(
    keys.request(requestId),
    keys.waiting,
    keys.worker(workerId),
    requestId,
    workerId,
    hasDied ? 1 : 0,
    LIFE_MS
  )
  return taken === 1
}

/** Ends a request in a failure of this code; without effect when it has ended. */
export async function endRequest(
  redis: ScriptedRedis,
  keys: RedisKeys,
  requestId: string,
  code: 'cancelled' | 'deadline_exceeded' | 'poisoned',
  message: string
): Promise<void> {
  const event: LoggedEvent = { kind: 'failed', failure: { code, message, param: null } }
  await redis.streamEnd(
    keys.request(requestId),
    keys.log(requestId),
    keys.waiting,
    requestId,
    code === 'cancelled' ? 'cancelled' : 'failed',
    JSON.stringify(event),
    keys.endChannel
  )
}
