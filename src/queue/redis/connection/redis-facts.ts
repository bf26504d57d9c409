import { z } from 'zod'
import type { ScriptedRedis } from './commands.ts'
import { openRedis } from './connect.ts'
import type { RedisAddress } from './redis-url.ts'

/** Properties of a Redis server that the queue depends on. */
export interface RedisFacts {
  /** `Redis 7.2.4`, `Valkey 8.0.1`. */
  readonly version: string
  /** Version of Redis, or the one that a fork declares compatibility with: `[7, 2]`. */
  readonly level: readonly [major: number, minor: number]
  readonly isCluster: boolean
  /** `maxmemory-policy`: which keys it evicts when its memory is full; `noeviction`: none. */
  readonly evictionPolicy: string
  /** `unknown` where `CONFIG GET` is not permitted. */
  readonly persistence: 'append-only file' | 'snapshots' | 'none' | 'unknown'
}

/** Why a Redis server cannot be used; the message is the predicate of `Redis at host:port`. */
export class RedisRefusal extends Error {}

const NO_DATABASE = /DB index is out of range/

/** Errors of connections and commands, and their meaning. */
const REASONS: readonly (readonly [pattern: RegExp, meaning: string])[] = [
  [/NOAUTH/, 'requires a password: redis://:password@host'],
  [/WRONGPASS/, 'rejects the name and password of the address'],
  [/NOPERM/, 'denies this user a command or key that is needed'],
  [NO_DATABASE, 'has no database of that number'],
  [/cluster support disabled/, 'is not a cluster: use redis://'],
  [/unknown command.*sentinel/i, 'is not a sentinel: use redis://'],
  [/SELF_SIGNED|UNABLE_TO|CERT_/, 'has a certificate that is not trusted: set NODE_EXTRA_CA_CERTS to the file of its authority'],
  [/ENOTFOUND|EAI_AGAIN/, 'cannot be resolved: is the host name right?']
]

/**
 * Reads the properties of a Redis server.
 *
 * @throws {RedisRefusal} when it cannot be reached within `withinMs`, rejects the connection, or is not of the kind
 *   that the address declares
 */
export async function askRedisFacts(address: RedisAddress, withinMs: number): Promise<RedisFacts> {
  const errors: string[] = []
  const redis = openRedis(address, 'waiting', error => errors.push(...messagesOf(error)))
  const timeout = AbortSignal.timeout(withinMs)
  try {
    const facts = await Promise.race([factsOf(redis), aborted(timeout)])
    // An absent database is only an emitted error: the connection then uses database 0.
    if (errors.some(message => NO_DATABASE.test(message))) throw new Error(errors.join('\n'))
    if (facts.isCluster && address.kind !== 'cluster') throw new RedisRefusal('is a cluster: use redis+cluster://')
    return facts
  } catch (cause) {
    if (cause instanceof RedisRefusal) throw cause
    const messages = [...messagesOf(cause), ...errors].join('\n')
    throw new RedisRefusal(REASONS.find(([pattern]) => pattern.test(messages))?.[1] ?? noReply(address), { cause })
  } finally {
    redis.disconnect()
  }
}

async function factsOf(redis: ScriptedRedis): Promise<RedisFacts> {
  const lines = (await redis.info()).split('\r\n').map(line => line.split(':', 2))
  const info = new Map(lines.map(([name = '', value = '']) => [name, value]))
  const level = info.get('redis_version') ?? ''
  const [major = 0, minor = 0] = level.split('.').map(Number)
  const valkeyVersion = info.get('valkey_version')
  return {
    version: valkeyVersion === undefined ? `Redis ${level}` : `Valkey ${valkeyVersion}`,
    level: [major, minor],
    isCluster: info.get('redis_mode') === 'cluster',
    evictionPolicy: info.get('maxmemory_policy') ?? 'unknown',
    persistence: info.get('aof_enabled') === '1' ? 'append-only file' : await snapshots(redis)
  }
}

const Setting = z.tuple([z.string(), z.string()])

async function snapshots(redis: ScriptedRedis): Promise<RedisFacts['persistence']> {
  const { data } = Setting.safeParse(await redis.config('GET', 'save').catch(() => null))
  if (data === undefined) return 'unknown'
  return data[1] === '' ? 'none' : 'snapshots'
}

/** A server without TLS does not reply to a TLS handshake. */
function noReply({ tls }: RedisAddress): string {
  return `does not answer: is it running${tls ? ', and does it use TLS' : ''}?`
}

/** Code and message of an error and of its inner errors. */
function messagesOf(error: unknown): string[] {
  if (!(error instanceof Error)) return []
  const code = 'code' in error ? String(error.code) : ''
  const inner = 'lastNodeError' in error ? messagesOf(error.lastNodeError) : []
  return [`${code} ${error.message}`, ...inner]
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
}
