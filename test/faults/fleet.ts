import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { FaultOptions } from './fault-options.ts'
import { workerPidsBelow } from './process-table.ts'

const MAIN = fileURLToPath(new URL('../../src/server/main.ts', import.meta.url))

interface ApiProcess {
  readonly port: number
  child: ChildProcess
}

/** The processes under test: with the embedded queue one server; on Redis a Redis of its own and two servers, each with its share of the workers. */
export class Fleet {
  readonly #options: FaultOptions
  readonly #apis: ApiProcess[] = []
  readonly #redisFolder = mkdtempSync(join(tmpdir(), 'everstream-faults-'))
  #redis: { readonly port: number; child: ChildProcess } | null = null

  private constructor(options: FaultOptions) {
    this.#options = options
  }

  static async start(options: FaultOptions): Promise<Fleet> {
    const fleet = new Fleet(options)
    if (options.queue === 'redis') {
      const port = await freePort()
      fleet.#redis = { port, child: fleet.#startRedis(port) }
    }
    const count = options.queue === 'redis' ? 2 : 1
    for (let index = 0; index < count; index++) {
      const port = await freePort()
      fleet.#apis.push({ port, child: fleet.#startApi(port, Math.ceil((options.workers - index) / count)) })
    }
    await Promise.all(fleet.endpoints().map(url => until(url, 'ready')))
    return fleet
  }

  /** Of all API processes, also of one that has just died. */
  endpoints(): readonly string[] {
    return this.#apis.map(({ port }) => `http://127.0.0.1:${port}`)
  }

  apiPids(): readonly number[] {
    return this.#apis.flatMap(({ child }) => child.pid ?? [])
  }

  workerPids(): readonly number[] {
    return this.apiPids().flatMap(workerPidsBelow)
  }

  get redisPort(): number | null {
    return this.#redis?.port ?? null
  }

  /** SIGKILL of an API process, whose workers lose their parent; it is started again at the same port. */
  async killApi(index: number): Promise<void> {
    const api = this.#apis[index % this.#apis.length]
    if (api === undefined) return
    await end(api.child, 'SIGKILL')
    api.child = this.#startApi(api.port, Math.ceil(this.#options.workers / this.#apis.length))
    await until(`http://127.0.0.1:${api.port}`, 'ready')
  }

  async restartRedis(awayMs: number): Promise<void> {
    if (this.#redis === null) return
    await end(this.#redis.child, 'SIGKILL')
    await sleep(awayMs)
    this.#redis.child = this.#startRedis(this.#redis.port)
  }

  async stop(): Promise<void> {
    await Promise.all(this.#apis.map(({ child }) => end(child, 'SIGTERM')))
    if (this.#redis !== null) await end(this.#redis.child, 'SIGTERM')
    rmSync(this.#redisFolder, { recursive: true, force: true })
  }

  #startRedis(port: number): ChildProcess {
    const files = ['--dir', this.#redisFolder, '--appendonly', 'yes', '--appendfsync', 'always', '--save', '']
    return spawn('redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--maxmemory-policy', 'noeviction', ...files], {
      stdio: 'ignore'
    })
  }

  #startApi(port: number, workers: number): ChildProcess {
    const { engine, spareWorkers } = this.#options
    const redis = this.#redis === null ? [] : ['--redis-url', `redis://127.0.0.1:${this.#redis.port}`]
    const argv = [
      'serve',
      '--port',
      String(port),
      '--engine',
      engine,
      '--workers',
      String(workers),
      '--spare-workers',
      String(spareWorkers),
      ...(engine === 'simulated' ? ['--simulated-step-ms', '10'] : []),
      ...redis
    ]
    return spawn(process.execPath, [MAIN, ...argv], { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, LOG_LEVEL: 'fatal' } })
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  await new Promise(resolve => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no free port')
  return address.port
}

async function until(url: string, route: 'ready'): Promise<void> {
  for (;;) {
    const response = await fetch(`${url}/${route}`, { signal: AbortSignal.timeout(5000) }).catch(() => null)
    await response?.body?.cancel()
    if (response?.status === 200) return
    await sleep(100)
  }
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill(signal)
  await exited
}
