import { type Server, startServer } from '../end-to-end/start-server.ts'

export const MODEL = 'simulated'
export const KEY = 'a-key-of-the-test'

/** More tokens than any test waits for: such a stream ends only when its client disconnects. */
export const ENDLESS_TOKENS = 8000

/** The real program with the simulated engine: its tokens are known, and all other parts are those of a real server. */
export async function startSimulated(argv: readonly string[] = [], stepMs = 2): Promise<Server> {
  return await startServer(['--engine', 'simulated', '--simulated-step-ms', String(stepMs), ...argv], { API_KEY: KEY })
}

/** A server that refuses new requests: one runs, one waits, and no other may wait. */
export interface FullServer extends AsyncDisposable {
  readonly server: Server
  readonly baseUrl: string
  /** Cancels the waiting requests as soon as the log has a refusal after its first `from` lines. */
  makeRoomAfterRefusal(from: number): Promise<void>
}

export async function startFullServer(): Promise<FullServer> {
  // So slow that the requests that fill it run longer than any test.
  const server = await startSimulated(['--max-slots', '1', '--queue-limit', '1'], 25)
  const leaving = new AbortController()
  const fill = () =>
    server.post({ model: MODEL, prompt: 'Fill', max_tokens: ENDLESS_TOKENS, stream: true }, { signal: leaving.signal, key: KEY })
  await fill()
  await untilBusy(server, { running: 1, waiting: 0 })
  await fill()
  await untilBusy(server, { running: 1, waiting: 1 })
  return {
    server,
    baseUrl: `${server.url}/v1`,
    async makeRoomAfterRefusal(from) {
      await server.logged(line => line['status'] === 503, from)
      leaving.abort()
    },
    async [Symbol.asyncDispose]() {
      leaving.abort()
      await server[Symbol.asyncDispose]()
    }
  }
}

/** Waits until the server has exactly this number of requests. */
export async function untilBusy(server: Server, counts: { readonly running: number; readonly waiting: number }): Promise<void> {
  for (;;) {
    const ready = (await (await fetch(`${server.url}/ready`)).json()) as Partial<typeof counts>
    if (ready.running === counts.running && ready.waiting === counts.waiting) return
  }
}

/** The reason with which a promise rejects; null if it resolves. */
export async function failureOf(promise: PromiseLike<unknown>): Promise<unknown> {
  return await promise.then(
    () => null,
    (error: unknown) => error
  )
}
