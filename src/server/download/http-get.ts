import { type ClientRequest, Agent as HttpAgent, get as httpGetPlain, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, get as httpsGet } from 'node:https'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { NetworkSettings } from '../config/network-settings.ts'
import { networkFault, SourceError } from './source-error.ts'

export interface GetRequest {
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  /** `Authorization` for the origin of `url`; not sent after a redirect to another origin. */
  readonly authorization: string | null
  /** PEM certificates to trust instead of the default ones. */
  readonly trustedCertificates?: string | null
  readonly network: NetworkSettings
  readonly signal: AbortSignal
}

export interface GetResponse {
  readonly status: number
  /** The URL after all redirects. */
  readonly url: URL
  /** The body, not yet read; the caller must read or destroy it. */
  readonly message: IncomingMessage
}

const MAX_REDIRECTS = 10

/**
 * Sends a GET request and follows redirects.
 *
 * @throws {SourceError} a timeout, a broken connection, or an invalid redirect
 */
export async function httpGet(request: GetRequest): Promise<GetResponse> {
  let { url } = request
  for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
    const message = await getOnce(request, url)
    const status = message.statusCode ?? 0
    const { location } = message.headers
    if (![301, 302, 303, 307, 308].includes(status) || location === undefined) return { status, url, message }
    message.destroy()
    const target = URL.parse(location, url.href)
    if (target === null || (url.protocol === 'https:' && target.protocol !== 'https:'))
      throw new SourceError(`${url.host} redirects to an invalid or insecure URL`)
    url = target
  }
  throw new SourceError(`${url.host} redirects more than ${MAX_REDIRECTS} times`)
}

function getOnce(request: GetRequest, url: URL): Promise<IncomingMessage> {
  const { network, signal, authorization } = request
  if (!/^https?:$/.test(url.protocol)) throw new SourceError(`unsupported protocol ${url.protocol}`)
  const isSecure = url.protocol === 'https:'
  const proxyEnv = network.environment
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  const options = {
    signal,
    headers: {
      'user-agent': 'everstream',
      'accept-encoding': 'identity',
      ...request.headers,
      ...(authorization !== null && url.origin === request.url.origin && { authorization })
    },
    ...(typeof request.trustedCertificates === 'string' && { ca: request.trustedCertificates })
  }
  const target = withoutCredentials(url)
  const sent = isSecure
    ? httpsGet(target, { ...options, agent: new HttpsAgent({ proxyEnv }) }, resolve)
    : httpGetPlain(target, { ...options, agent: new HttpAgent({ proxyEnv }) }, resolve)
  applyTimeouts(sent, network)
  sent.on('error', error => {
    reject(signal.aborted ? signal.reason : new SourceError(`${url.host}: ${networkFault(error)}`, { cause: error }))
  })
  return promise
}

function applyTimeouts(sent: ClientRequest, { connectTimeoutMs, silenceTimeoutMs }: NetworkSettings): void {
  const fail = (message: string) => () => sent.destroy(new Error(message))
  const timer = setTimeout(fail(`no connection within ${connectTimeoutMs / 1000} s`), connectTimeoutMs)
  const stop = (): void => clearTimeout(timer)
  sent.on('socket', socket => {
    if (isConnected(socket)) stop()
    else socket.once(socket instanceof TLSSocket ? 'secureConnect' : 'connect', stop)
  })
  sent.once('response', stop).once('close', stop)
  sent.setTimeout(silenceTimeoutMs, fail(`no data received for ${silenceTimeoutMs / 1000} s`))
}

function isConnected(socket: Socket): boolean {
  return socket instanceof TLSSocket ? socket.getFinished() !== undefined : !socket.connecting
}

function withoutCredentials(url: URL): URL {
  const bare = new URL(url)
  bare.username = ''
  bare.password = ''
  return bare
}
