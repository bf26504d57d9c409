import { readFileSync } from 'node:fs'
import type { Cluster, Redis, Result } from 'ioredis'

/** Parameters are named as in the contracts at the head of the Lua files. */
declare module 'ioredis' {
  interface RedisCommander<Context> {
    streamAdmit(
      request: string,
      waiting: string,
      id: string,
      body: string,
      delivery: string,
      weight: number,
      promptTokens: number,
      leaseUntilMs: number,
      deadlineMs: number,
      ttlMs: number,
      waitingLimit: number,
      waitingTokenLimit: number,
      freeRows: number,
      rows: number,
      retentionMs: number,
      seenWaiting: number
    ): Result<unknown, Context>
    streamClaim(
      request: string,
      waiting: string,
      workerRequests: string,
      id: string,
      workerId: string,
      ttlMs: number,
      workerTtlMs: number,
      fruitlessLimit: number
    ): Result<unknown, Context>
    streamHandBack(
      request: string,
      waiting: string,
      workerRequests: string,
      id: string,
      workerId: string,
      hasDied: 0 | 1,
      ttlMs: number,
      fruitlessLimit: number
    ): Result<unknown, Context>
    streamMark(numberOfKeys: number, ...requestsFieldEpochsAndValues: (string | number)[]): Result<unknown, Context>
    streamEnd(
      request: string,
      log: string,
      waiting: string,
      id: string,
      endState: 'failed' | 'cancelled',
      event: string,
      endChannel: string
    ): Result<unknown, Context>
    streamRenewLease(request: string, log: string, leaseUntilMs: number, ttlMs: number): Result<unknown, Context>
    streamAppend(
      request: string,
      log: string,
      epoch: number,
      ttlMs: number,
      endState: '' | 'finished' | 'failed',
      firstOrdinal: number,
      ...event: string[]
    ): Result<unknown, Context>
    streamClaimIdempotency(idempotency: string, value: string, ttlMs: number, replaces: string): Result<unknown, Context>
    streamReleaseIdempotency(idempotency: string, value: string): Result<unknown, Context>
  }
}

/**
 * The Lua of `../scripts/` as commands of a connection: sent by digest, loaded again after a restart of Redis. Without
 * `numberOfKeys` the first argument of the command is that number.
 */
export const SCRIPTS: Record<string, { lua: string; numberOfKeys?: number }> = {
  streamAdmit: { lua: readScript('admit'), numberOfKeys: 2 },
  streamClaim: { lua: readScript('claim'), numberOfKeys: 3 },
  streamHandBack: { lua: readScript('hand-back'), numberOfKeys: 3 },
  streamMark: { lua: readScript('mark') },
  streamEnd: { lua: readScript('end'), numberOfKeys: 3 },
  streamRenewLease: { lua: readScript('renew-lease'), numberOfKeys: 2 },
  streamAppend: { lua: readScript('append'), numberOfKeys: 2 },
  streamClaimIdempotency: { lua: readScript('claim-idempotency'), numberOfKeys: 1 },
  streamReleaseIdempotency: { lua: readScript('release-idempotency'), numberOfKeys: 1 }
}

/** A connection with the commands of `SCRIPTS`. */
export type ScriptedRedis = Redis | Cluster

/** A line `-- @include name` is replaced by the file of that name. */
function readScript(name: string): string {
  const lua = readFileSync(new URL(`../scripts/${name}.lua`, import.meta.url), 'utf8')
  return lua.replace(/^-- @include (\S+)$/gm, (_, included: string) => readScript(included))
}
