import type { FastifyInstance } from 'fastify'
import { ServiceError } from '../../inference/contract/errors.ts'
import { isLoopback } from '../config/loopback.ts'

/**
 * A server on a loopback address answers only to loopback names: a web page that lets its own name point to 127.0.0.1
 * (DNS rebinding, the class of CVE-2024-28224) sends its own name as `Host` and gets nothing.
 */
export function checkHost(app: FastifyInstance, bindHost: string): void {
  if (!isLocalName(bindHost)) return
  app.addHook('onRequest', async request => {
    const host = hostName(request.headers.host ?? '')
    if (isLocalName(host)) return
    throw new ServiceError('invalid_request', `Invalid 'Host' header: expected a name of this machine's loopback interface.`)
  })
}

/** Browsers resolve every name below `localhost` to this machine. */
function isLocalName(host: string): boolean {
  return isLoopback(host) || host.endsWith('.localhost')
}

/** `[::1]:8000` → `::1`; `LocalHost:8000` → `localhost`. */
function hostName(header: string): string {
  const name = /^\[([^\]]*)\](?::\d*)?$/.exec(header)?.[1] ?? /^([^:]*)(?::\d*)?$/.exec(header)?.[1] ?? ''
  return name.toLowerCase().replace(/\.$/, '')
}
