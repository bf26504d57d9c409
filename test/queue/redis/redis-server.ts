import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../../../load/free-port.ts'
import type { ScriptedRedis } from '../../../src/queue/redis/connection/commands.ts'
import { openRedis } from '../../../src/queue/redis/connection/connect.ts'
import { parseRedisUrl } from '../../../src/queue/redis/connection/redis-url.ts'
import { owned } from '../../processes/owned-process.ts'

/** A redis-server of one test: it can be killed and restarted, and its files are deleted at the end. */
export interface RedisServer extends AsyncDisposable {
  readonly url: string
  readonly port: number
  readonly pid: number
  /** Opens a connection that reconnects while the server is away. */
  connect(): ScriptedRedis
  /** Kills it as a power failure does. Its append-only file remains. */
  kill(): Promise<void>
  /** Starts it on the same port, with the data of its append-only file. */
  startAgain(): Promise<void>
}

/** Why no redis-server can be started; null when one can. */
export function whyNoRedis(): string | null {
  return spawnSync('redis-server', ['--version']).error === undefined
    ? null
    : 'there is no redis-server in PATH: install it (apt install redis-server)'
}

/** @param persistence  `aof`: every write is on disk before its reply */
export async function startRedis(persistence: 'none' | 'aof' = 'none'): Promise<RedisServer> {
  const port = await freePort()
  const folder = await mkdtemp(join(tmpdir(), 'everstream-redis-'))
  const connections: ScriptedRedis[] = []
  let server = await launch(port, folder, persistence)
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    get pid() {
      return server.pid ?? 0
    },
    connect() {
      const address = parseRedisUrl(`redis://127.0.0.1:${port}`)
      if (address === null) throw new Error('no address of Redis')
      const redis = openRedis(address, 'waiting', () => {})
      connections.push(redis)
      return redis
    },
    async kill() {
      await endRedis(server)
    },
    async startAgain() {
      server = await launch(port, folder, persistence)
    },
    async [Symbol.asyncDispose]() {
      for (const redis of connections) redis.disconnect()
      await endRedis(server)
      await rm(folder, { recursive: true, force: true })
    }
  }
}

async function launch(port: number, folder: string, persistence: 'none' | 'aof'): Promise<ChildProcess> {
  const durable = persistence === 'aof' ? ['--appendonly', 'yes', '--appendfsync', 'always'] : []
  return await launchRedis(['--port', String(port), '--dir', folder, ...durable])
}

/** Starts a redis-server on loopback, without snapshots; resolves when it accepts connections. */
export async function launchRedis(options: readonly string[]): Promise<ChildProcess> {
  const server = owned(spawn('redis-server', [...options, '--bind', '127.0.0.1', '--save', ''], { stdio: ['ignore', 'pipe', 'inherit'] }))
  let emitted = ''
  for await (const chunk of server.stdout ?? []) {
    emitted += String(chunk)
    if (!emitted.includes('Ready to accept connections')) continue
    server.stdout?.resume()
    return server
  }
  throw new Error(`redis-server ${options.join(' ')} did not start: ${emitted}`)
}

/** Kills a redis-server as a power failure does. */
export async function endRedis(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return
  const exited = once(server, 'exit')
  server.kill('SIGKILL')
  await exited
}
