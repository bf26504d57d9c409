import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'
import { EmbeddedQueue } from '../../../src/queue/embedded/embedded-queue.ts'
import type { AppOptions } from '../../../src/server/app.ts'
import { joinInProcess } from '../../queue/embedded/in-process-worker.ts'
import { testApp } from '../../server/app-parts.ts'

/** A prompt after whose first token the worker pauses: its first token is `TRICKS.hold`. */
export const HOLD = 'd'

interface PostOptions {
  readonly headers?: Record<string, string>
  readonly signal?: AbortSignal
}

/** The whole HTTP server on a port, with the embedded queue and a worker in this process. */
export async function serveEmbedded(changes: Partial<AppOptions> = {}) {
  const queue = new EmbeddedQueue()
  const worker = joinInProcess(queue, 4)
  const leaving = new AbortController()
  const app = testApp({ queue, clock: Date.now, leaving: leaving.signal, ...changes })
  await app.listen({ port: 0, host: '127.0.0.1' })
  onTestFinished(async () => {
    app.server.closeAllConnections()
    await app.close()
    await queue.drain(AbortSignal.abort())
    await worker.kill()
  })
  const base = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`
  const post = async (fields: object, { headers = {}, signal }: PostOptions = {}) =>
    await fetch(`${base}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ model: 'tiny', prompt: 'hi', ...fields }),
      ...(signal !== undefined && { signal })
    })
  const streams = async (
    id: string,
    query = '',
    { method = 'GET', headers = {}, signal }: PostOptions & { method?: 'GET' | 'DELETE' } = {}
  ) => await fetch(`${base}/v1/streams/${id}${query}`, { method, headers, ...(signal !== undefined && { signal }) })
  return { queue, leaving, post, streams }
}

export function idOf(response: Response): string {
  return response.headers.get('x-stream-id') ?? ''
}

export async function json(response: Response) {
  return JSON.parse(await response.text())
}

/** Reads a body until it contains `text`. */
export async function readUntil(response: Response, text: string): Promise<string> {
  let read = ''
  const decoder = new TextDecoder()
  const reader = response.body?.getReader()
  while (reader !== undefined && !read.includes(text)) {
    const { value, done } = await reader.read()
    if (done) break
    read += decoder.decode(value, { stream: true })
  }
  reader?.releaseLock()
  return read
}
