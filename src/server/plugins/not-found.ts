import type { FastifyInstance } from 'fastify'
import { errorBody } from '../../routes/wire/errors/error-body.ts'

/** Answers 404 for undeclared URLs, and 405 for undeclared methods of declared URLs. */
export function answerUnknownUrls(app: FastifyInstance): void {
  const methodsByUrl = new Map<string, Set<string>>()
  app.addHook('onRoute', ({ url, method, wsHandler }) => {
    if (wsHandler !== undefined) return
    const methods = methodsByUrl.get(url) ?? new Set()
    for (const one of [method].flat()) methods.add(one)
    methodsByUrl.set(url, methods)
  })

  app.setNotFoundHandler((request, reply) => {
    const [path = ''] = request.url.split('?', 1)
    const allowed = [...methodsByUrl].filter(([url]) => matches(url, path.replace(/(?<=.)\/$/, ''))).flatMap(([, methods]) => [...methods])
    // A declared method means that the route itself did not find the resource.
    if (allowed.length === 0 || allowed.includes(request.method)) {
      return reply.code(404).send(errorBody(`Invalid URL (${request.method} ${path.slice(0, 256)})`, 'invalid_request_error', 'not_found'))
    }
    const message = `Not allowed to ${request.method} on ${path.slice(0, 256)} (HINT: Perhaps you meant to use a different HTTP method?)`
    return reply
      .code(405)
      .header('allow', [...new Set(allowed)].join(', '))
      .send(errorBody(message, 'invalid_request_error', 'method_not_allowed'))
  })
}

/** Whether a declared URL (`/v1/models/*`, `/v1/x/:id`) matches the path. */
function matches(url: string, path: string): boolean {
  const declared = url.split('/')
  const given = path.split('/')
  for (const [i, part] of declared.entries()) {
    if (part === '*') return given.length > i
    if (given[i] === undefined || (!part.startsWith(':') && part !== given[i])) return false
  }
  return declared.length === given.length
}
