import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import type { Environment } from '../../src/server/config/environment.ts'
import type { BenchCase, BenchSamples, SideOptions, SideReadiness } from './bench-case.ts'

/** An engine under measurement, in a separate process that is idle while the other side is measured. */
export class BenchSide {
  readonly #script: string
  readonly #options: SideOptions
  readonly #env: Environment
  #open: { readonly child: ChildProcess; readonly readiness: SideReadiness } | null = null

  constructor(script: string, options: SideOptions, env: Environment) {
    this.#script = script
    this.#options = options
    this.#env = env
  }

  /** Starts the process if there is none. */
  async open(): Promise<SideReadiness> {
    return (await this.#opened()).readiness
  }

  async measure(what: BenchCase): Promise<BenchSamples> {
    const { child } = await this.#opened()
    child.send(what)
    return (await reply(child, 'the process under measurement')) as BenchSamples
  }

  /** Waits until the process has given its memory back. `measure` starts another one. */
  async close(): Promise<void> {
    const child = this.#open?.child
    this.#open = null
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    if (child.connected) child.disconnect()
    await ended
  }

  async #opened(): Promise<{ readonly child: ChildProcess; readonly readiness: SideReadiness }> {
    if (this.#open !== null) return this.#open
    const child = fork(new URL(this.#script, import.meta.url), [JSON.stringify(this.#options)], {
      env: this.#env,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc']
    })
    this.#open = { child, readiness: (await reply(child, this.#script)) as SideReadiness }
    return this.#open
  }
}

async function reply(child: ChildProcess, name: string): Promise<unknown> {
  const ended = new AbortController()
  try {
    return await Promise.race([
      once(child, 'message', { signal: ended.signal }).then(([message]: unknown[]) => message),
      once(child, 'exit', { signal: ended.signal }).then(([code]: unknown[]) => {
        throw new Error(`${name} ended with code ${code}`)
      })
    ])
  } finally {
    ended.abort()
  }
}
