import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { freePort } from '../../load/free-port.ts'
import { childrenOf } from '../../load/process-tree.ts'
import { invariant } from '../../src/inference/contract/invariant.ts'
import { owned } from '../processes/owned-process.ts'
import { type RedisServer, startRedis } from '../queue/redis/redis-server.ts'
import type { FaultOptions } from './fault-options.ts'

const MAIN = fileURLToPath(new URL('../../src/server/main.ts', import.meta.url))

interface ApiProcess {
  readonly port: number
  child: ChildProcess
}

/**
 * The processes under test: with the embedded queue one server; with Redis a Redis server and two servers, each with
 * its share of the workers.
 */
export class Fleet {
  readonly #options: FaultOptions
  readonly #apis: ApiProcess[] = []
  readonly #redis: RedisServer | null

  private constructor(options: FaultOptions, redis: RedisServer | null) {
    this.#options = options
    this.#redis = redis
  }

  static async start(options: FaultOptions): Promise<Fleet> {
    const fleet = new Fleet(options, options.queue === 'redis' ? await startRedis('aof') : null)
    const count = options.queue === 'redis' ? 2 : 1
    for (let index = 0; index < count; index++) {
      const port = await freePort()
      fleet.#apis.push({ port, child: fleet.#startApi(port, Math.ceil((options.workers - index) / count)) })
    }
    await Promise.all(fleet.endpoints().map(untilReady))
    return fleet
  }

  /** Base URLs of all API processes, also of one that has just been killed. */
  endpoints(): readonly string[] {
    return this.#apis.map(({ port }) => `http://127.0.0.1:${port}`)
  }

  apiPids(): readonly number[] {
    return this.#apis.flatMap(({ child }) => child.pid ?? [])
  }

  workerPids(): readonly number[] {
    return this.apiPids().flatMap(pid => childrenOf(pid, 'worker-process'))
  }

  get redisPort(): number | null {
    return this.#redis?.port ?? null
  }

  /** SIGKILL of an API process, whose workers lose their parent; it is started again at the same port. */
  async killApi(index: number): Promise<void> {
    await this.#replace(index, 'SIGKILL')
  }

  /**
   * SIGTERM of an API process, as in a rolling restart; it is started again at the same port.
   *
   * @throws {Error} it did not exit with code 0
   */
  async restartApi(index: number): Promise<void> {
    const end = await this.#replace(index, 'SIGTERM')
    if (end !== 'exit code 0') throw new Error(`a server ended after SIGTERM with ${end}`)
  }

  /** @returns how the process ended */
  async #replace(index: number, signal: NodeJS.Signals): Promise<string> {
    const api = this.#apis[index % this.#apis.length]
    invariant(api !== undefined, 'a fleet has an API process')
    await end(api.child, signal)
    const { exitCode, signalCode } = api.child
    api.child = this.#startApi(api.port, Math.ceil(this.#options.workers / this.#apis.length))
    await untilReady(`http://127.0.0.1:${api.port}`)
    return signalCode ?? `exit code ${exitCode}`
  }

  async restartRedis(awayMs: number): Promise<void> {
    await this.#redis?.kill()
    await sleep(awayMs)
    await this.#redis?.startAgain()
  }

  async stop(): Promise<void> {
    await Promise.all(this.#apis.map(({ child }) => end(child, 'SIGTERM')))
    await this.#redis?.[Symbol.asyncDispose]()
  }

  #startApi(port: number, workers: number): ChildProcess {
    const { engine, spareWorkers } = this.#options
    const redis = this.#redis === null ? [] : ['--redis-url', this.#redis.url]
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
      '--drain-seconds',
      '1',
      ...(engine === 'simulated' ? ['--simulated-step-ms', '10'] : []),
      ...redis
    ]
    return owned(
      spawn(process.execPath, [MAIN, ...argv], { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, LOG_LEVEL: 'fatal' } })
    )
  }
}

async function untilReady(url: string): Promise<void> {
  for (;;) {
    const response = await fetch(`${url}/ready`, { signal: AbortSignal.timeout(5000) }).catch(() => null)
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
