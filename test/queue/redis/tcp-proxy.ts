import { once } from 'node:events'
import { createConnection, createServer, type Socket } from 'node:net'

/** A slow or failing network between a client and a server on this machine. */
export interface TcpProxy extends AsyncDisposable {
  readonly port: number
  /** Delay of the server's data, from now on. */
  delayMs: number
  /**
   * Closes each connection after `bytes` more of the server's data, also in the middle of a reply.
   */
  cutAfter(bytes: number): void
}

export async function startProxy(serverPort: number): Promise<TcpProxy> {
  const open = new Map<Socket, { left: number }>()
  const server = createServer(client => {
    const upstream = createConnection(serverPort, '127.0.0.1')
    const budget = { left: Number.POSITIVE_INFINITY }
    open.set(client, budget)
    client.on('error', () => {}).on('close', () => open.delete(client) && upstream.destroy())
    upstream.on('error', () => {}).on('close', () => client.destroy())
    client.pipe(upstream)
    upstream.on('data', chunk => {
      setTimeout(() => {
        if (chunk.length >= budget.left) client.end(chunk.subarray(0, budget.left))
        else if (client.writable) client.write(chunk)
        budget.left = Math.max(0, budget.left - chunk.length)
      }, proxy.delayMs)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const proxy: TcpProxy = {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    delayMs: 0,
    cutAfter(bytes) {
      for (const budget of open.values()) budget.left = Math.min(budget.left, bytes)
    },
    async [Symbol.asyncDispose]() {
      for (const client of open.keys()) client.destroy()
      server.close()
      await once(server, 'close')
    }
  }
  return proxy
}
