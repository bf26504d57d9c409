import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

export const WAYS_TO_DISCONNECT = ['stay', 'end', 'destroy', 'reset'] as const

/** What a client does on one TCP connection. */
export interface Conversation {
  /** Written one after the other, whether or not anything is answered. */
  readonly pieces: readonly (string | Buffer)[]
  readonly pauseMs?: number
  readonly reads?: boolean
  /** `stay`: until the server closes the connection. */
  readonly disconnect?: (typeof WAYS_TO_DISCONNECT)[number]
  /** The client disconnects after so many bytes of answers, and at the latest after so long. */
  readonly afterBytes?: number
  readonly withinMs: number
}

export interface Received {
  /** Latin-1, the first of it. */
  readonly text: string
  readonly closedByServer: boolean
}

const KEPT_CHARS = 2_000_000

export async function exchange(port: number, conversation: Conversation): Promise<Received> {
  const { pieces, pauseMs = 0, reads = true, disconnect = 'stay', afterBytes = Number.POSITIVE_INFINITY, withinMs } = conversation
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  const disconnected = new AbortController()
  const texts: string[] = []
  let bytes = 0
  let closedByServer = false
  socket.on('error', () => disconnected.abort())
  socket.on('end', () => {
    closedByServer = true
    disconnected.abort()
  })
  socket.on('close', () => disconnected.abort())
  if (reads) {
    socket.on('data', data => {
      bytes += data.length
      if (bytes <= KEPT_CHARS) texts.push(data.toString('latin1'))
      if (bytes >= afterBytes) disconnected.abort()
    })
  }
  const timer = setTimeout(() => disconnected.abort(), withinMs)
  try {
    for (const piece of pieces) {
      if (disconnected.signal.aborted) break
      const isFlushed = socket.write(typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece)
      if (!isFlushed) await once(socket, 'drain', { signal: disconnected.signal })
      if (pauseMs > 0) await sleep(pauseMs, undefined, { signal: disconnected.signal })
    }
    if (disconnect === 'end') socket.end()
    if (!disconnected.signal.aborted) await once(disconnected.signal, 'abort')
  } catch (error) {
    if (!disconnected.signal.aborted) throw error
  } finally {
    clearTimeout(timer)
    if (disconnect === 'reset') socket.resetAndDestroy()
    else socket.destroy()
  }
  return { text: texts.join(''), closedByServer }
}
