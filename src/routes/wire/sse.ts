import { once } from 'node:events'
import type { FastifyReply } from 'fastify'

/** Time after which a client that idles shows itself to be alive to proxies on the way; below the usual 30 to 60 s. */
const KEEP_ALIVE_MS = 15_000

/** A client that reads nothing for so long is given up: its socket is closed. */
const STALL_MS = 60_000

/** One server-sent event. `id` is what `Last-Event-ID` resumes from; OpenAI's clients ignore it. */
export function sseEvent(data: string, id: number | null = null): string {
  return id === null ? `data: ${data}\n\n` : `id: ${id}\ndata: ${data}\n\n`
}

/**
 * An event that carries JSON. Its line has no character that some client's line splitter (Python's `splitlines`) takes
 * for a line end.
 */
export function sseJson(value: object, id: number | null = null): string {
  return sseEvent(JSON.stringify(value).replace(LINE_ENDS, toEscape), id)
}

const LINE_ENDS = /[\u0085\u2028\u2029]/g

function toEscape(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`
}

/**
 * A line that keeps proxies awake and people informed; clients skip it. It is no block of its own: at a blank line the
 * decoder of OpenAI's client for Python reads an event, though one without data, whenever it has seen `retry` or an
 * `id` before.
 */
export function sseComment(text: string): string {
  return `: ${text}\n`
}

/** How long a stream waits, in milliseconds. */
export interface Pace {
  /** For an event, until it shows that it is alive. */
  readonly keepAliveMs?: number
  /** For its client to read, until it gives it up. */
  readonly stallMs?: number
}

export interface SseOptions extends Pace {
  readonly gone: AbortSignal
  /** What the client reads when `blocks` throws; the stream ends behind it. */
  readonly onError: (error: unknown) => string
}

/**
 * Writes blocks of whole events to the client as they come, one write for each block. The headers go out at once.
 * While the socket is full nothing is pulled: the token log keeps what waits.
 *
 * @returns when everything is written, or the client has gone
 */
export async function sendSse(reply: FastifyReply, blocks: AsyncIterable<string>, options: SseOptions): Promise<void> {
  const { gone, onError, keepAliveMs = KEEP_ALIVE_MS, stallMs = STALL_MS } = options
  const { raw } = reply
  openStream(reply)
  const keepAlive = setInterval(() => {
    if (!raw.writableNeedDrain && !gone.aborted) raw.write(sseComment('keep-alive'))
  }, keepAliveMs)
  try {
    for await (const block of blocks) {
      if (gone.aborted) break
      keepAlive.refresh()
      if (!raw.write(block)) await drained(raw, gone, stallMs)
    }
  } catch (error) {
    if (!gone.aborted) raw.write(onError(error))
  } finally {
    clearInterval(keepAlive)
    raw.end()
  }
}

/** From here on the reply is ours: Fastify's own sending knows no pause. */
function openStream(reply: FastifyReply): void {
  reply.header('content-type', 'text/event-stream; charset=utf-8')
  reply.header('cache-control', 'no-cache, no-transform')
  reply.header('x-accel-buffering', 'no')
  reply.hijack()
  for (const [name, value] of Object.entries(reply.getHeaders())) {
    if (value !== undefined) reply.raw.setHeader(name, value)
  }
  reply.raw.on('error', ignoreBrokenSocket)
  reply.raw.writeHead(200)
  reply.raw.write('retry: 1000\n') // a part of the first event, for the same reason as comments
}

/** Waits until the client has read what was written; destroys its socket after `stallMs`. */
async function drained(raw: FastifyReply['raw'], gone: AbortSignal, stallMs: number): Promise<void> {
  const stalled = setTimeout(() => raw.destroy(), stallMs)
  try {
    await once(raw, 'drain', { signal: gone })
  } catch (error) {
    if (!gone.aborted) throw error
  } finally {
    clearTimeout(stalled)
  }
}

/** A socket that breaks while we write to it closes next, and that is what `gone` tells. */
function ignoreBrokenSocket(): void {}
