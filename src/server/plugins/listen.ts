import { lookup } from 'node:dns/promises'
import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { errorCode } from '../error-facts.ts'

/** Errors for an address family that this machine does not have. */
const UNSUPPORTED = ['EADDRNOTAVAIL', 'EAFNOSUPPORT']

export interface ListenOptions {
  readonly host: string
  readonly port: number
  /** The addresses of `localhost`, the preferred one first. */
  readonly resolve?: () => Promise<readonly string[]>
}

/**
 * Listens on `host`; for `localhost` on each of its addresses that this machine has (127.0.0.1 and ::1). All
 * connections are passed to `app.server`, so that its timeouts, limits and shutdown apply to every address. Fastify's
 * own second server for `localhost` would have none of them.
 *
 * @returns URL of the first address
 */
export async function listen(app: FastifyInstance, { host, port, resolve = localAddresses }: ListenOptions): Promise<string> {
  if (host.toLowerCase() !== 'localhost') return await app.listen({ host, port })
  const listeners: Server[] = []
  const closed: Promise<unknown>[] = []
  app.addHook('preClose', async () => {
    for (const listener of listeners) closed.push(once(listener.close(), 'close'))
  })
  app.addHook('onClose', async () => {
    await Promise.all(closed)
  })
  // A hosts file with a line for each family makes glibc return 127.0.0.1 twice.
  const addresses = [...new Set(await resolve())]
  const { url, others } = await listenOnFirst(app, addresses, port)
  for (const address of others) {
    const listener = createServer({ allowHalfOpen: true, noDelay: true }, socket => app.server.emit('connection', socket))
    try {
      const listening = once(listener, 'listening')
      listener.listen({ host: address, port: Number(new URL(url).port) })
      await listening
      listeners.push(listener)
    } catch (err) {
      if (!isUnsupported(err)) app.log.warn({ err, address }, 'cannot listen on an address of localhost')
    }
  }
  return url
}

/** The hosts file may name addresses of a family that this machine does not have. */
async function listenOnFirst(app: FastifyInstance, addresses: readonly string[], port: number) {
  let refusal: unknown = new Error('localhost has no address')
  for (const [index, address] of addresses.entries()) {
    try {
      return { url: await app.listen({ host: address, port }), others: addresses.slice(index + 1) }
    } catch (error) {
      if (!isUnsupported(error)) throw error
      refusal = error
    }
  }
  throw refusal
}

function isUnsupported(error: unknown): boolean {
  return UNSUPPORTED.includes(errorCode(error) ?? '')
}

async function localAddresses(): Promise<readonly string[]> {
  return (await lookup('localhost', { all: true })).map(({ address }) => address)
}
