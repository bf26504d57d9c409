import { z } from 'zod'
import type { Failure } from '../../../inference/contract/errors.ts'
import type { FailedEvent } from '../../../inference/contract/events.ts'
import type { GenerationRequest } from '../../../inference/contract/request.ts'
import { FRUITLESS_DEATHS_THAT_COUNT } from '../../poison-rule.ts'
import type { ScriptedRedis } from '../connection/commands.ts'
import { REQUEST_TTL_MS, type RedisKeys, WORKER_TTL_MS } from '../connection/keys.ts'

export interface ClaimedRequest {
  readonly epoch: number
  readonly request: GenerationRequest
  /** Counted deaths of its workers. */
  readonly deaths: number
}

const ClaimReply = z.union([z.tuple([z.literal('ok'), z.coerce.number(), z.string(), z.number()]), z.tuple([z.enum(['gone', 'ended'])])])

const AppendReply = z.union([
  z.tuple([z.literal('ok'), z.coerce.number()]),
  z.tuple([z.literal('gap'), z.coerce.number()]),
  z.tuple([z.enum(['fenced', 'ended', 'gone'])])
])

/** Outcome of an append, see `append.lua`. */
export type AppendReply = z.infer<typeof AppendReply>

const Done = z.literal([0, 1]).transform(done => done === 1)

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
    REQUEST_TTL_MS,
    WORKER_TTL_MS,
    FRUITLESS_DEATHS_THAT_COUNT
  )
  const reply = ClaimReply.parse(raw)
  if (reply[0] !== 'ok') return null
  const [, epoch, body, deaths] = reply
  // Written by an API process, which had parsed it at the HTTP border.
  return { epoch, request: JSON.parse(body) as GenerationRequest, deaths }
}

/** JSON of each event in the log. */
export async function readLog(redis: ScriptedRedis, keys: RedisKeys, requestId: string): Promise<string[]> {
  const entries = await redis.xrange(keys.log(requestId), '-', '+')
  return entries.map(([, fields]) => fields[1] ?? '')
}

/** @returns whether the worker owned the request, which waits again now */
export async function handBack(
  redis: ScriptedRedis,
  keys: RedisKeys,
  requestId: string,
  workerId: string,
  hasDied: boolean
): Promise<boolean> {
  return Done.parse(
    await redis.streamHandBack(
      keys.request(requestId),
      keys.waiting,
      keys.worker(workerId),
      requestId,
      workerId,
      hasDied ? 1 : 0,
      REQUEST_TTL_MS,
      FRUITLESS_DEATHS_THAT_COUNT
    )
  )
}

/**
 * Ends a request from outside its worker.
 *
 * @returns false when it had ended before or does not exist
 */
export async function endRequest(redis: ScriptedRedis, keys: RedisKeys, requestId: string, failure: Failure): Promise<boolean> {
  const event: FailedEvent = { kind: 'failed', failure }
  const endState = failure.code === 'cancelled' ? 'cancelled' : 'failed'
  const { waiting, endChannel } = keys
  return Done.parse(
    await redis.streamEnd(keys.request(requestId), keys.log(requestId), waiting, requestId, endState, JSON.stringify(event), endChannel)
  )
}
