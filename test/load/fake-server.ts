import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'

export interface RequestedBody {
  readonly prompt: string
  readonly max_tokens: number
  readonly temperature: number
  readonly seed?: number
  readonly stream?: boolean
}

export interface FakeBehaviour {
  /** Tokens of the response; by default a function of prompt and seed. */
  readonly tokens?: (body: RequestedBody, request: number) => readonly string[]
  readonly fault?: (request: number) => 'refuse' | 'cut' | 'error event' | null
  readonly gapMs?: number
}

/** A server with the part of the completions API that the load tools use. Dispose of it with `await using`. */
export async function fakeServer(behaviour: FakeBehaviour = {}): Promise<{ readonly url: string } & AsyncDisposable> {
  let requests = 0
  const server = createServer((request, reply) => {
    const answered = request.url === '/v1/models' ? models(reply) : complete(request, reply, behaviour, requests++)
    answered.catch(() => reply.destroy())
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: () =>
      new Promise<void>(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
  }
}

async function models(reply: ServerResponse): Promise<void> {
  reply.setHeader('content-type', 'application/json').end(JSON.stringify({ object: 'list', data: [{ id: 'fake' }] }))
}

async function complete(request: IncomingMessage, reply: ServerResponse, behaviour: FakeBehaviour, number: number): Promise<void> {
  const body = JSON.parse(await text(request)) as RequestedBody
  const fault = behaviour.fault?.(number) ?? null
  if (fault === 'refuse') {
    reply.writeHead(503, { 'content-type': 'application/json' }).end(JSON.stringify({ error: { message: 'queue is full' } }))
    return
  }
  const tokens = behaviour.tokens?.(body, number) ?? defaultTokens(body)
  if (body.stream !== true) {
    reply
      .setHeader('content-type', 'application/json')
      .end(JSON.stringify({ choices: [{ text: tokens.join(''), finish_reason: 'length' }] }))
    return
  }
  reply.writeHead(200, { 'content-type': 'text/event-stream' })
  for (const [at, token] of tokens.entries()) {
    if (behaviour.gapMs !== undefined) await sleep(behaviour.gapMs)
    if (fault !== null && at === 1) {
      if (fault === 'error event') reply.write(event({ error: { message: 'the engine broke', code: 'engine_failure' } }))
      reply.end()
      return
    }
    reply.write(event({ choices: [{ text: token, finish_reason: at === tokens.length - 1 ? 'length' : null }], usage: null }))
  }
  reply.end(`${event({ choices: [], usage: { completion_tokens: tokens.length } })}data: [DONE]\n\n`)
}

function defaultTokens(body: RequestedBody): readonly string[] {
  return Array.from({ length: body.max_tokens }, (_, at) => ` ${body.prompt.length}-${body.seed ?? 'greedy'}-é${at}`)
}

function event(data: unknown): string {
  return `data: ${JSON.stringify(data)}\n\n`
}
