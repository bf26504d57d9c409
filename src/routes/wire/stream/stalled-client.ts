import type { ServerResponse } from 'node:http'
import { Socket } from 'node:net'

/** The connection of a client that reads nothing for this long is closed. */
export const STALL_MS = 60_000

/**
 * Closes the connection of a client that does not read. A reset also frees the bytes that the kernel would otherwise
 * keep for the client, up to several megabytes, until its retries are exhausted.
 */
export function resetConnection(raw: ServerResponse): void {
  // Node accepts connections that are not sockets, too.
  if (raw.socket instanceof Socket) raw.socket.resetAndDestroy()
  else raw.destroy()
}
