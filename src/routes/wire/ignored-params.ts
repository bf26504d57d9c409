import type { FastifyReply } from 'fastify'
import { ServiceError } from '../../inference/contract/errors.ts'
import { streamOptions } from './stream-options.ts'

const MAX_NAMES = 32
const MAX_NAME_CHARS = 64

/** The fields of a body that the server does not know and therefore ignores. */
export function ignoredFields(body: { readonly stream_options: object | null }, known: object): readonly string[] {
  return [...unknownParams(body, known), ...unknownParams(body.stream_options ?? {}, streamOptions, 'stream_options.')]
}

/** Names in `body` that `known` does not have, prefixed with the path to the object they stand in. */
export function unknownParams(body: object, known: object, path = ''): string[] {
  return Object.keys(body)
    .filter(name => !Object.hasOwn(known, name))
    .map(name => path + name)
}

/**
 * An option ignored in silence is a wrong answer: names what was ignored in `x-ignored-params`.
 *
 * @throws {ServiceError} `invalid_request` in strict mode
 */
export function reportIgnored(reply: FastifyReply, names: readonly string[], strict: boolean): void {
  if (names.length === 0) return
  refuseIfStrict(names, strict)
  reply.header('x-ignored-params', names.slice(0, MAX_NAMES).map(headerSafe).join(', '))
}

/** @throws {ServiceError} `invalid_request` in strict mode, for the first of the names */
export function refuseIfStrict(names: readonly string[], strict: boolean): void {
  const name = names[0]?.slice(0, MAX_NAME_CHARS)
  if (!strict || name === undefined) return
  throw new ServiceError('invalid_request', `Unrecognized request argument supplied: ${name}`, { param: name })
}

/** The names are the client's: in a header they may hold nothing that could end it. */
function headerSafe(name: string): string {
  return encodeURIComponent(name.slice(0, MAX_NAME_CHARS).toWellFormed())
}
