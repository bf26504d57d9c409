import type { FastifyReply } from 'fastify'
import { LIMITS } from '../../../inference/contract/limits.ts'
import { invalid } from '../errors/service-errors.ts'
import { streamOptions } from '../fields/request-fields.ts'

/** Names of the unknown fields of a body, which are ignored. Number and length of the names are bounded. */
export function ignoredFields(body: { readonly stream_options: object | null }, known: object): readonly string[] {
  const names = [...unknownParams(body, known), ...unknownParams(body.stream_options ?? {}, streamOptions, 'stream_options.')]
  return names.slice(0, LIMITS.ignoredParams)
}

/**
 * Names in `body` that `known` does not have, with the path of their object as a prefix; bounded like `ignoredFields`.
 */
export function unknownParams(body: object, known: object, path = ''): string[] {
  return Object.keys(body)
    .filter(name => !Object.hasOwn(known, name))
    .slice(0, LIMITS.ignoredParams)
    .map(name => (path + name).slice(0, LIMITS.ignoredParamChars).toWellFormed())
}

/**
 * Lists ignored fields in the header `x-ignored-params`.
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
  throw invalid(name, `Unrecognized request argument supplied: ${name}`)
}

/** Percent-encodes a name that the client chose, so that it is safe in a header; no longer than the bound for names. */
function headerSafe(name: string): string {
  let safe = ''
  for (const character of name) {
    const encoded = encodeURIComponent(character)
    if (safe.length + encoded.length > LIMITS.ignoredParamChars) break
    safe += encoded
  }
  return safe
}
