import type { Cluster, Redis, Result } from 'ioredis'
import { APPEND } from '../scripts/log-scripts.ts'
import { ADMIT, CLAIM, CLAIM_IDEMPOTENCY, END, HAND_BACK, MARK, RELEASE_IDEMPOTENCY, RENEW_LEASE } from '../scripts/request-scripts.ts'

type Argument = string | number

declare module 'ioredis' {
  interface RedisCommander<Context> {
    streamAdmit(...keysAndArguments: Argument[]): Result<unknown, Context>
    streamClaim(...keysAndArguments: Argument[]): Result<unknown, Context>
    streamHandBack(...keysAndArguments: Argument[]): Result<unknown, Context>
    /** The first argument is the number of keys. */
    streamMark(...countKeysAndArguments: Argument[]): Result<unknown, Context>
    streamEnd(...keysAndArguments: Argument[]): Result<unknown, Context>
    streamRenewLease(...keysAndArguments: Argument[]): Result<unknown, Context>
    streamAppend(...keysAndArguments: Argument[]): Result<unknown, Context>
    streamClaimIdempotency(...keysAndArguments: Argument[]): Result<unknown, Context>
    streamReleaseIdempotency(...keysAndArguments: Argument[]): Result<unknown, Context>
  }
}

/**
 * Our scripts as commands of a connection: sent by their digest, loaded again after a restart of Redis. Their contracts
 * stand beside the Lua.
 */
export const SCRIPTS: Record<string, { lua: string; numberOfKeys?: number }> = {
  streamAdmit: { lua: ADMIT, numberOfKeys: 2 },
  streamClaim: { lua: CLAIM, numberOfKeys: 3 },
  streamHandBack: { lua: HAND_BACK, numberOfKeys: 3 },
  streamMark: { lua: MARK },
  streamEnd: { lua: END, numberOfKeys: 3 },
  streamRenewLease: { lua: RENEW_LEASE, numberOfKeys: 2 },
  streamAppend: { lua: APPEND, numberOfKeys: 2 },
  streamClaimIdempotency: { lua: CLAIM_IDEMPOTENCY, numberOfKeys: 1 },
  streamReleaseIdempotency: { lua: RELEASE_IDEMPOTENCY, numberOfKeys: 1 }
}

/** A connection with our commands. */
export type ScriptedRedis = Redis | Cluster
