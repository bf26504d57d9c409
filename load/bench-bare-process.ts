import { fork } from 'node:child_process'
import { once } from 'node:events'
import { modelProcessEnvironment, readEnvironment } from '../src/server/config/environment.ts'

/** What the process of `bench-bare-engine.ts` is asked. */
export interface BareWork {
  readonly prompts: readonly string[]
  /** Of each prompt's answer. */
  readonly tokens: number
}

/** The server's own engine in a process like its worker's, and nothing else. */
export interface BareEngine extends AsyncDisposable {
  /** @returns milliseconds that all took together */
  measure(work: BareWork): Promise<number>
}

export async function startBareEngine(): Promise<BareEngine> {
  const child = fork(new URL('./bench-bare-engine.ts', import.meta.url), [], {
    env: modelProcessEnvironment(readEnvironment()),
    stdio: ['ignore', 'inherit', 'inherit', 'ipc']
  })
  await once(child, 'message')
  return {
    async measure(work) {
      const answer = once(child, 'message')
      child.send(work)
      const [milliseconds] = (await answer) as [number]
      return milliseconds
    },
    async [Symbol.asyncDispose]() {
      child.disconnect()
      if (child.exitCode === null) await once(child, 'exit')
    }
  }
}
