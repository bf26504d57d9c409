import type { FastifyInstance } from 'fastify'
import { ServiceError } from '../../inference/contract/errors.ts'
import { isLoopback } from '../config/serve-config.ts'

/**
 * A server on a loopback address accepts only loopback names in `Host`. This rejects web pages whose host name resolves
 * to 127.0.0.1 (DNS rebinding, as in CVE-2024-28224).
 */
export function checkHost(app: FastifyInstance, bindHost: string): void {
  if (!isLocalName(bindHost)) return
  app.addHook('onRequest', async request => {
    const host = hostName(request.headers.host ?? '')
    if (isLocalName(host)) return
    throw new ServiceError('invalid_request', `Invalid 'Host' header: expected localhost or a loopback address.`)
  })
}

/** Browsers resolve every subdomain of `localhost` to this machine. */
function isLocalName(host: string): boolean {
  return isLoopback(host) || host.endsWith('.localhost')
}

/** `[::1]:8000` → `::1`; `LocalHost:8000` → `localhost`. */
function hostName(header: string): string {
  const name = /^\[([^\]]*)\](?::\d*)?$/.exec(header)?.[1] ?? /^([^:]*)(?::\d*)?$/.exec(header)?.[1] ?? ''
  return name.toLowerCase().replace(/\.$/, '')
}
