import { Cluster, Redis, type RedisOptions } from 'ioredis'
import { SCRIPTS, type ScriptedRedis } from './commands.ts'
import type { RedisAddress } from './redis-url.ts'

/**
 * `prompt`: a command fails at once while Redis is away, and after `PROMPT_TIMEOUT_MS` without a reply. `blocking`: the
 * same without that limit. `waiting`: a command waits until Redis is back; after a broken connection it may be sent
 * twice, so it must be idempotent.
 */
export type RetryMode = 'prompt' | 'blocking' | 'waiting'

/** A connection with a pending command, blocking ones included, is closed after this long without data. */
const SOCKET_TIMEOUT_MS = 5000
const PROMPT_TIMEOUT_MS = 2000
const LONGEST_RETRY_MS = 500

/**
 * Opens a connection with the commands of `SCRIPTS`. It reconnects after every failure; the caller ends it with
 * `disconnect()`.
 */
export function openRedis(address: RedisAddress, retryMode: RetryMode, onError: (error: Error) => void): ScriptedRedis {
  const redis =
    address.kind === 'cluster'
      ? openCluster(address, retryMode)
      : new Redis({ ...optionsOf(address, retryMode), ...endpointOptions(address) })
  redis.on('error', onError)
  return redis
}

function openCluster(address: RedisAddress, retryMode: RetryMode): Cluster {
  return new Cluster([...address.nodes], {
    scripts: SCRIPTS,
    enableOfflineQueue: retryMode === 'waiting',
    clusterRetryStrategy: retryMs,
    redisOptions: optionsOf(address, retryMode)
  })
}

function endpointOptions({ kind, nodes, master, tls }: RedisAddress) {
  if (kind === 'single') return nodes[0]
  return { sentinels: [...nodes], name: master, enableTLSForSentinelMode: tls }
}

function optionsOf({ tls, username, password, database }: RedisAddress, retryMode: RetryMode) {
  return {
    ...(username === null ? {} : { username }),
    ...(password === null ? {} : { password }),
    ...(tls ? { tls: {} } : {}),
    db: database,
    scripts: SCRIPTS,
    connectTimeout: 2000,
    socketTimeout: SOCKET_TIMEOUT_MS,
    ...(retryMode === 'prompt' ? { commandTimeout: PROMPT_TIMEOUT_MS } : {}),
    retryStrategy: retryMs,
    // A master that became a replica replies READONLY for ever; a new connection finds the present master.
    reconnectOnError: error => error.message.startsWith('READONLY'),
    enableOfflineQueue: retryMode === 'waiting',
    autoResendUnfulfilledCommands: retryMode === 'waiting',
    maxRetriesPerRequest: retryMode === 'waiting' ? null : 0
  } satisfies RedisOptions
}

function retryMs(attempts: number): number {
  return Math.min(50 * attempts, LONGEST_RETRY_MS)
}
