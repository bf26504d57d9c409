import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net'
import { onTestFinished } from 'vitest'

export interface SeenRequest {
  readonly path: string
  readonly range: string | null
  readonly ifRange: string | null
  readonly authorization: string | null
}

/** A server on a free local port, closed when the test ends. */
export interface TestServer {
  readonly url: string
  /** In order of arrival. */
  readonly seen: readonly SeenRequest[]
  breakConnections(): void
}

export type Answer = (request: IncomingMessage, response: ServerResponse) => void

export async function serveHttp(answer: Answer): Promise<TestServer> {
  const seen: SeenRequest[] = []
  const server = createServer((request, response) => {
    const { range, 'if-range': ifRange, authorization } = request.headers
    seen.push({
      path: request.url ?? '',
      range: range ?? null,
      ifRange: typeof ifRange === 'string' ? ifRange : null,
      authorization: authorization ?? null
    })
    answer(request, response)
  })
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${await listen(server)}`, seen, breakConnections: () => server.closeAllConnections() }
}

/** A port that accepts connections and sends nothing, so that a TLS handshake does not complete. */
export async function serveSilence(): Promise<string> {
  const server = createTcpServer()
  onTestFinished(() => void server.close())
  server.on('connection', socket => onTestFinished(() => void socket.destroy()))
  return `https://127.0.0.1:${await listen(server)}`
}

/** A port that refuses connections. */
export async function refusedUrl(): Promise<string> {
  const server = createTcpServer()
  const port = await listen(server)
  await new Promise(resolve => server.close(resolve))
  return `http://127.0.0.1:${port}`
}

export interface FileBehaviour {
  content: Uint8Array
  /** null: the server sends no ETag. */
  etag: string | null
  /**
   * Number of bytes after which each response stalls, in order; 0 breaks the connection. Later responses are complete.
   */
  stops: number[]
}

/** Serves a file with ETag, Range and If-Range (RFC 9110, section 14). */
export function fileAnswer(file: FileBehaviour): Answer {
  return (request, response) => {
    const { range, 'if-range': ifRange } = request.headers
    const start = range !== undefined && (ifRange === undefined || ifRange === file.etag) ? Number(/^bytes=(\d+)-$/.exec(range)?.[1]) : 0
    const total = file.content.length
    const body = file.content.subarray(start)
    response.writeHead(start > 0 ? 206 : 200, {
      ...(file.etag !== null && { etag: file.etag }),
      'content-length': body.length,
      ...(start > 0 && { 'content-range': `bytes ${start}-${total - 1}/${total}` })
    })
    const stop = file.stops.shift()
    if (stop === undefined) response.end(body)
    else if (stop === 0) response.destroy()
    else response.write(body.subarray(0, stop))
  }
}

async function listen(server: Server | ReturnType<typeof createServer>): Promise<number> {
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}
