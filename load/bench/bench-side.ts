import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import type { Environment } from '../../src/server/config/environment.ts'
import type { BenchCase, BenchSamples, SideOptions, SideReadiness } from './bench-case.ts'

/** An engine under measurement, in a separate process that is idle while the other side is measured. */
export class BenchSide {
  readonly readiness: SideReadiness
  readonly #child: ChildProcess

  private constructor(child: ChildProcess, readiness: SideReadiness) {
    this.#child = child
    this.readiness = readiness
  }

  static async open(script: string, options: SideOptions, env: Environment): Promise<BenchSide> {
    const child = fork(new URL(script, import.meta.url), [JSON.stringify(options)], { env, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    return new BenchSide(child, (await reply(child, script)) as SideReadiness)
  }

  async measure(what: BenchCase): Promise<BenchSamples> {
    this.#child.send(what)
    return (await reply(this.#child, 'the process under measurement')) as BenchSamples
  }

  close(): void {
    if (this.#child.connected) this.#child.disconnect()
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
