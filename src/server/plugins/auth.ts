import { createHash, timingSafeEqual } from 'node:crypto'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { ServiceError } from '../../inference/contract/errors.ts'
import { PROBE_URLS } from '../../routes/health/route.ts'

export interface Auth {
  /** Identifies the API key of a request without revealing it; empty if the server has no keys. */
  callerOf(request: FastifyRequest): string
}

/**
 * Requires a key for every route of `app`, unknown URLs included; without keys there is no authentication. Only SHA-256
 * digests of the keys are kept, and all of them are compared in constant time.
 */
export function requireApiKey(app: FastifyInstance, keys: readonly string[]): Auth {
  const digests = keys.map(sha256)
  const callers = new WeakMap<FastifyRequest, string>()
  if (digests.length > 0) {
    app.addHook('onRequest', async request => {
      // The route that matched, not the URL that the client sent.
      if (PROBE_URLS.has(request.routeOptions.url ?? '')) return
      callers.set(request, authenticate(request.headers.authorization, digests))
    })
  }
  return { callerOf: request => callers.get(request) ?? '' }
}

/** @throws {ServiceError} `invalid_api_key` */
function authenticate(header: string | undefined, digests: readonly Buffer[]): string {
  const key = header === undefined ? undefined : /^Bearer +(\S+) *$/i.exec(header)?.[1]
  if (key === undefined) {
    throw new ServiceError(
      'invalid_api_key',
      "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY)."
    )
  }
  const given = sha256(key)
  let known = false
  for (const digest of digests) known = timingSafeEqual(digest, given) || known
  if (!known) throw new ServiceError('invalid_api_key', 'Incorrect API key provided.')
  return sha256(given).toString('hex', 0, 16)
}

function sha256(data: string | Buffer): Buffer {
  return createHash('sha256').update(data).digest()
}
