import type { FastifyReply } from 'fastify'
import { ServiceError } from '../../../inference/contract/errors.ts'
import { LIMITS } from '../../../inference/contract/limits.ts'
import { streamOptions } from '../fields/stream-options.ts'

/**
 * The fields of a body that the server does not know and therefore ignores: as many as are told, each as far as it is
 * told.
 */
export function ignoredFields(body: { readonly stream_options: object | null }, known: object): readonly string[] {
  const names = [...unknownParams(body, known), ...unknownParams(body.stream_options ?? {}, streamOptions, 'stream_options.')]
  return names.slice(0, LIMITS.ignoredParams)
}

/**
 * Names in `body` that `known` does not have, prefixed with the path to the object they stand in: no more than are
 * told.
 */
export function unknownParams(body: object, known: object, path = ''): string[] {
  return Object.keys(body)
    .filter(name => !Object.hasOwn(known, name))
    .slice(0, LIMITS.ignoredParams)
    .map(name => (path + name).slice(0, LIMITS.ignoredParamChars).toWellFormed())
}

/**
 * An option ignored in silence is a wrong answer: names what was ignored in `x-ignored-params`.
 *
 * @throws {ServiceError} `invalid_request` in strict mode
 */
export function reportIgnored(reply: FastifyReply, names: readonly string[], strict: boolean): void {
  if (names.length === 0) return
  refuseIfStrict(names, strict)
  reply.header('x-ignored-params', names.map(headerSafe).join(', '))
}

/** @throws {ServiceError} `invalid_request` in strict mode, for the first of the names */
export function refuseIfStrict(names: readonly string[], strict: boolean): void {
  const [name] = names
  if (!strict || name === undefined) return
  throw new ServiceError('invalid_request', `Unrecognized request argument supplied: ${name}`, { param: name })
}

/**
 * The names are the client's: in a header they are ASCII, hold nothing that could end it, and are no longer than any
 * name may be.
 */
function headerSafe(name: string): string {
  let safe = ''
  for (const character of name) {
    const written = encodeURIComponent(character)
    if (safe.length + written.length > LIMITS.ignoredParamChars) break
    safe += written
  }
  return safe
}
