import { type Server, startServer } from '../end-to-end/start-server.ts'

export const MODEL = 'simulated'
export const KEY = 'a-key-of-the-test'

/** More tokens than any test waits for: a stream that only leaving ends. */
export const ENDLESS_TOKENS = 8000

/** The real program with the simulated engine: known tokens, and everything else as it is with a model. */
export async function startSimulated(argv: readonly string[] = [], stepMs = 2): Promise<Server> {
  return await startServer(['--engine', 'simulated', '--simulated-step-ms', String(stepMs), ...argv], { API_KEY: KEY })
}

/** A server that refuses whoever comes now: one request runs, one waits, and no more may. */
export interface FullServer extends AsyncDisposable {
  readonly server: Server
  readonly baseUrl: string
  /** Makes room as soon as a refusal is in the log after its first `from` lines. */
  makeRoomAfterRefusal(from: number): Promise<void>
}

export async function startFullServer(): Promise<FullServer> {
  // So slow that what fills it outlives every test.
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

/** Waits until the server has exactly so much to do. */
export async function untilBusy(server: Server, counts: { readonly running: number; readonly waiting: number }): Promise<void> {
  for (;;) {
    const ready = (await (await fetch(`${server.url}/ready`)).json()) as Partial<typeof counts>
    if (ready.running === counts.running && ready.waiting === counts.waiting) return
  }
}

/** What a promise rejects with; null where it does not. */
export async function failureOf(promise: PromiseLike<unknown>): Promise<unknown> {
  return await promise.then(
    () => null,
    (error: unknown) => error
  )
}
