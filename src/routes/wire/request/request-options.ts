import { createHash } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import type { DeliveryPolicy, OnDisconnect } from '../../../inference/contract/delivery-policy.ts'
import type { ServiceError } from '../../../inference/contract/errors.ts'
import { invalid } from '../errors/service-errors.ts'
import { describe } from '../fields/issue-message.ts'

const MAX_KEY_CHARS = 255
const MAX_TIMEOUT_MS = 86_400_000
const MAX_SHOWN_CHARS = 32

/** The part of the delivery policy that the client sets by headers. */
export type RequestOptions = Pick<DeliveryPolicy, 'onDisconnect' | 'deadlineAtMs' | 'idempotency'>

/**
 * Reads `Idempotency-Key`, `x-resumable` and `x-request-timeout-ms`.
 *
 * @param background    the body's field of that name: the request runs to its end without a reader
 * @param admittedAtMs  Unix milliseconds
 * @throws {ServiceError} `invalid_request`, naming the header, its bound and its value
 */
export function readRequestOptions(request: FastifyRequest, background: boolean, admittedAtMs: number): RequestOptions {
  const { headers } = request
  if (headers['last-event-id'] !== undefined) {
    throw invalidOption(
      'Last-Event-ID',
      'a POST starts a new request. Expected no such header; resume a stream with GET /v1/streams/{id}, with the id from x-stream-id.'
    )
  }
  const key = readKey(headers['idempotency-key'])
  const isResumable = readFlag('x-resumable', headers['x-resumable']) || key !== null
  const timeoutMs = readTimeout('x-request-timeout-ms', headers['x-request-timeout-ms'])
  return {
    onDisconnect: onDisconnect(background, isResumable),
    deadlineAtMs: timeoutMs === null ? null : admittedAtMs + timeoutMs,
    idempotency: key === null ? null : { key, digest: digestOf(request) }
  }
}

/** Reads a number in decimal digits from a header or query parameter. */
export function readCount(name: string, value: string, minimum: number, maximum: number): number {
  const count = /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN
  if (count >= minimum && count <= maximum) return count
  throw invalidOption(name, `expected an integer from ${minimum} to ${maximum}, but got ${shown(value)} instead.`)
}

export function readFlag(name: string, value: string | readonly string[] | undefined): boolean {
  if (value === undefined || value === 'false') return false
  if (value === 'true') return true
  throw invalidOption(name, `expected true or false, but got ${shown(String(value))} instead.`)
}

function onDisconnect(background: boolean, isResumable: boolean): OnDisconnect {
  if (background) return 'run'
  return isResumable ? 'grace' : 'cancel'
}

function readKey(value: string | readonly string[] | undefined): string | null {
  if (value === undefined) return null
  if (typeof value === 'string' && value.length <= MAX_KEY_CHARS && /^[\x20-\x7e]+$/.test(value)) return value
  throw invalidOption('Idempotency-Key', `expected 1 to ${MAX_KEY_CHARS} printable ASCII characters, but got ${describe(value)} instead.`)
}

function readTimeout(name: string, value: string | readonly string[] | undefined): number | null {
  return value === undefined ? null : readCount(name, String(value), 1, MAX_TIMEOUT_MS)
}

/** Digest of the URL and the parsed body: independent of the order of fields, and of whether defaults are explicit. */
function digestOf(request: FastifyRequest): string {
  return createHash('sha256')
    .update(`${request.routeOptions.url ?? ''}\n${canonical(request.body)}`)
    .digest('hex')
}

/** JSON with sorted keys. Lists of ids go to `JSON.stringify` as a whole, without a call for each id. */
function canonical(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  if (Array.isArray(value)) {
    return value.some(item => typeof item === 'object') ? `[${value.map(canonical).join(',')}]` : JSON.stringify(value)
  }
  const entries = Object.entries(value).filter(([, inner]) => inner !== undefined)
  const inOrder = entries.toSorted(([a], [b]) => (a < b ? -1 : 1))
  return `{${inOrder.map(([key, inner]) => `${JSON.stringify(key)}:${canonical(inner)}`).join(',')}}`
}

function shown(value: string): string {
  return JSON.stringify(value.length > MAX_SHOWN_CHARS ? `${value.slice(0, MAX_SHOWN_CHARS)}…` : value)
}

function invalidOption(name: string, fault: string): ServiceError {
  return invalid(name, `Invalid '${name}': ${fault}`)
}
