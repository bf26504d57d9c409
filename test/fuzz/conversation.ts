import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

export const WAYS_TO_LEAVE = ['stay', 'end', 'destroy', 'reset'] as const

/** What a client does on one TCP connection. */
export interface Conversation {
  /** Written one after the other, whether or not anything is answered. */
  readonly pieces: readonly (string | Buffer)[]
  readonly pauseMs?: number
  readonly reads?: boolean
  /** `stay`: until the server closes the connection. */
  readonly leaves?: (typeof WAYS_TO_LEAVE)[number]
  /** The client leaves after so many bytes of answers, and at the latest after so long. */
  readonly afterBytes?: number
  readonly withinMs: number
}

export interface Heard {
  /** Latin-1, the first of it. */
  readonly text: string
  readonly closedByServer: boolean
}

const KEPT_CHARS = 2_000_000

export async function converse(port: number, conversation: Conversation): Promise<Heard> {
  const { pieces, pauseMs = 0, reads = true, leaves = 'stay', afterBytes = Number.POSITIVE_INFINITY, withinMs } = conversation
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  const leaving = new AbortController()
  const texts: string[] = []
  let bytes = 0
  let closedByServer = false
  socket.on('error', () => leaving.abort())
  socket.on('end', () => {
    closedByServer = true
    leaving.abort()
  })
  socket.on('close', () => leaving.abort())
  if (reads) {
    socket.on('data', data => {
      bytes += data.length
      if (bytes <= KEPT_CHARS) texts.push(data.toString('latin1'))
      if (bytes >= afterBytes) leaving.abort()
    })
  }
  const patience = setTimeout(() => leaving.abort(), withinMs)
  try {
    for (const piece of pieces) {
      if (leaving.signal.aborted) break
      const isFlushed = socket.write(typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece)
      if (!isFlushed) await once(socket, 'drain', { signal: leaving.signal })
      if (pauseMs > 0) await sleep(pauseMs, undefined, { signal: leaving.signal })
    }
    if (leaves === 'end') socket.end()
    if (!leaving.signal.aborted) await once(leaving.signal, 'abort')
  } catch (error) {
    if (!leaving.signal.aborted) throw error
  } finally {
    clearTimeout(patience)
    if (leaves === 'reset') socket.resetAndDestroy()
    else socket.destroy()
  }
  return { text: texts.join(''), closedByServer }
}
