import { once } from 'node:events'
import { createServer } from 'node:net'

/**
 * Below the ephemeral ports of Linux, macOS and Windows: an outgoing connection could take one of those between the
 * check and its use.
 */
const FIRST = 12_000
const LAST = 32_000

const returned = new Set<number>()

/** A loopback port without a listener; never returns the same port twice. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST + 1))
    if (returned.has(port)) continue
    returned.add(port)
    if (await isFree(port)) return port
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1')
  try {
    await once(server, 'listening')
  } catch {
    return false
  }
  server.close()
  await once(server, 'close')
  return true
}
