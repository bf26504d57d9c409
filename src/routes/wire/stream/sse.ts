import { once } from 'node:events'
import type { FastifyReply } from 'fastify'
import { resetConnection, STALL_MS } from './stalled-client.ts'

/** Interval of keep-alive comments on an idle stream; proxies usually close idle connections after 30 to 60 s. */
const KEEP_ALIVE_MS = 15_000

/** One server-sent event. Clients resume from `id` with `Last-Event-ID`; OpenAI's clients ignore it. */
export function sseEvent(data: string, id: number | null = null): string {
  return id === null ? `data: ${data}\n\n` : `id: ${id}\ndata: ${data}\n\n`
}

/**
 * An event with JSON data. Characters that some clients (those that use Python's `splitlines`) treat as line ends are
 * escaped.
 */
export function sseJson(value: object, id: number | null = null): string {
  return sseEvent(JSON.stringify(value).replace(LINE_ENDS, toEscape), id)
}

const LINE_ENDS = /[\u0085\u2028\u2029]/g

function toEscape(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`
}

/**
 * A comment line; clients skip it. No blank line follows: the decoder of OpenAI's client for Python emits an event
 * without data at every blank line once it has seen `retry` or an `id`.
 */
export function sseComment(text: string): string {
  return `: ${text}\n`
}

/** Timeouts of a stream. */
export interface StreamTimeouts {
  /** Idle time before a keep-alive comment is sent. */
  readonly keepAliveMs?: number
  /** Time that a client may read nothing before its socket is closed. */
  readonly stallMs?: number
}

export interface SseOptions extends StreamTimeouts {
  readonly gone: AbortSignal
  /** Returns the last text to send when `blocks` throws. */
  readonly onError: (error: unknown) => string
}

/**
 * Sends the headers immediately, then writes each block of whole events with one write. Backpressure: while the socket
 * buffer is full no block is requested, and events stay in the token log.
 *
 * @returns when everything is written, or the client has disconnected
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

/** Takes the reply over from Fastify, whose own sending has no backpressure for events. */
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
  reply.raw.write('retry: 1000\n') // No blank line, for the same reason as in sseComment.
}

/** Waits until the socket buffer is empty; destroys the socket after `stallMs`. */
async function drained(raw: FastifyReply['raw'], gone: AbortSignal, stallMs: number): Promise<void> {
  const stalled = setTimeout(resetConnection, stallMs, raw)
  try {
    await once(raw, 'drain', { signal: gone })
  } catch (error) {
    if (!gone.aborted) throw error
  } finally {
    clearTimeout(stalled)
  }
}

/** A socket that fails during a write is closed next, which aborts `gone`. */
function ignoreBrokenSocket(): void {}
