import { fork } from 'node:child_process'
import { once } from 'node:events'
import { modelProcessEnvironment, readEnvironment } from '../../src/server/config/environment.ts'

/** A message to the process of `bench-bare-engine.ts`. */
export interface BareWork {
  readonly prompts: readonly string[]
  /** New tokens per prompt. */
  readonly tokens: number
}

/** The server's engine in a process with the environment of a worker, without server and queue. */
export interface BareEngine extends AsyncDisposable {
  /** @returns milliseconds until all prompts are complete */
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
