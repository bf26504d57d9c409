import { z } from 'zod'
import type { ScriptedRedis } from './commands.ts'
import { openRedis } from './connect.ts'
import type { RedisAddress } from './redis-url.ts'

/** What a Redis says of itself, as far as we depend on it. */
export interface RedisFacts {
  /** `Redis 7.2.4`, `Valkey 8.0.1`. */
  readonly version: string
  /** Of Redis, or of that to which a kin of it is compatible: `[7, 2]`. */
  readonly level: readonly [major: number, minor: number]
  readonly isCluster: boolean
  /** Which keys it drops when its memory is full; `noeviction`: none. */
  readonly evictionPolicy: string
  /** `unknown` where it may not be asked. */
  readonly persistence: 'append-only file' | 'snapshots' | 'none' | 'unknown'
}

/** Why a Redis cannot be used; the message goes on behind `Redis at host:port`. */
export class RedisRefusal extends Error {}

const NO_DATABASE = /DB index is out of range/

/** What connections and commands fail with, and what that means. */
const REASONS: readonly (readonly [pattern: RegExp, meaning: string])[] = [
  [/NOAUTH/, 'wants a password: redis://:password@host'],
  [/WRONGPASS/, 'does not take the name and password of the address'],
  [/NOPERM/, 'does not let this user do what is needed'],
  [NO_DATABASE, 'has no database of that number'],
  [/cluster support disabled/, 'is no cluster: redis:// is its scheme'],
  [/unknown command.*sentinel/i, 'is no sentinel: redis:// is its scheme'],
  [/SELF_SIGNED|UNABLE_TO|CERT_/, 'has a certificate that is not trusted: NODE_EXTRA_CA_CERTS names the file of its authority'],
  [/ENOTFOUND|EAI_AGAIN/, 'is not to be found: is the name right?']
]

/**
 * Asks a Redis what it is.
 *
 * @throws {RedisRefusal} it cannot be reached within `withinMs`, does not let us in, or is not of the kind that the
 *   address says
 */
export async function askRedisFacts(address: RedisAddress, withinMs: number): Promise<RedisFacts> {
  const complaints: string[] = []
  const redis = openRedis(address, 'patient', error => complaints.push(...wordsOf(error)))
  const silence = AbortSignal.timeout(withinMs)
  try {
    const facts = await Promise.race([factsOf(redis), aborted(silence)])
    // A database that is not there is a complaint only: the connection then works on the first one.
    if (complaints.some(words => NO_DATABASE.test(words))) throw new Error(complaints.join('\n'))
    if (facts.isCluster && address.kind !== 'cluster') throw new RedisRefusal('is a cluster: redis+cluster:// is its scheme')
    return facts
  } catch (cause) {
    if (cause instanceof RedisRefusal) throw cause
    const words = [...wordsOf(cause), ...complaints].join('\n')
    throw new RedisRefusal(REASONS.find(([pattern]) => pattern.test(words))?.[1] ?? awayAt(address), { cause })
  } finally {
    redis.disconnect()
  }
}

async function factsOf(redis: ScriptedRedis): Promise<RedisFacts> {
  const lines = (await redis.info()).split('\r\n').map(line => line.split(':', 2))
  const info = new Map(lines.map(([name = '', value = '']) => [name, value]))
  const level = info.get('redis_version') ?? ''
  const [major = 0, minor = 0] = level.split('.').map(Number)
  const kin = info.get('valkey_version')
  return {
    version: kin === undefined ? `Redis ${level}` : `Valkey ${kin}`,
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

/** A server without TLS is silent to who begins with it. */
function awayAt({ tls }: RedisAddress): string {
  return `does not answer: is it running${tls ? ', and does it speak TLS' : ''}?`
}

/** Of an error and of those behind it. */
function wordsOf(error: unknown): string[] {
  if (!(error instanceof Error)) return []
  const code = 'code' in error ? String(error.code) : ''
  const inner = 'lastNodeError' in error ? wordsOf(error.lastNodeError) : []
  return [`${code} ${error.message}`, ...inner]
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
}
