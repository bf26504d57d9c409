import { once } from 'node:events'
import type { ClientRequest, IncomingMessage } from 'node:http'
import type { Endpoint } from './endpoint.ts'
import { SseLines } from './sse-lines.ts'
import type { CompletionBody } from './workload.ts'

export interface StreamedText {
  readonly text: string
  readonly finishReason: string | null
  /** Events that carried text. */
  readonly events: number
  /** From the usage chunk; null if the server sends none. */
  readonly completionTokens: number | null
}

/** A failed request; errors are counted by `kind`. */
export class LoadError extends Error {
  override readonly name = 'LoadError'
  readonly kind: string

  constructor(kind: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.kind = kind
  }
}

interface Chunk {
  readonly choices?: readonly { readonly text?: string; readonly finish_reason?: string | null }[]
  readonly usage?: { readonly completion_tokens?: number } | null
  readonly error?: { readonly message?: string; readonly code?: string | null } | null
}

/**
 * Sends one request and reads its stream to the end.
 *
 * @param onText  called for each event with text, with its index and its time in milliseconds of
 *   `performance.now()`
 * @throws {LoadError} the request was rejected, the connection broke, the stream ended without `[DONE]` or with an
 *   error, or it took too long
 */
export async function streamedCompletion(
  endpoint: Endpoint,
  body: CompletionBody,
  timeoutMs: number,
  onText: (event: number, atMs: number) => void
): Promise<StreamedText> {
  const signal = AbortSignal.timeout(timeoutMs)
  try {
    const response = await send(endpoint, JSON.stringify({ ...body, stream: true, stream_options: { include_usage: true } }), signal)
    return await read(response, onText)
  } catch (cause) {
    if (cause instanceof LoadError) throw cause
    if (signal.aborted) throw new LoadError('timeout', `no end after ${timeoutMs} ms`, { cause })
    throw new LoadError('connection', cause instanceof Error ? cause.message : String(cause), { cause })
  }
}

async function send(endpoint: Endpoint, body: string, signal: AbortSignal): Promise<IncomingMessage> {
  const headers = { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) }
  const request = endpoint.open('POST', '/v1/completions', signal, headers)
  request.end(body)
  // After the response has arrived its stream reports errors, which the request may emit again.
  request.on('error', () => {})
  const response = await responseTo(request)
  if (response === null) return await send(endpoint, body, signal)
  if (response.statusCode === 200) return response

  const answer = await response.setEncoding('utf8').toArray()
  throw new LoadError(`http ${response.statusCode}`, answer.join('').slice(0, 300))
}

/**
 * null: the server closed an idle keep-alive connection (llama.cpp's server does so after each stream) before it
 * received the request.
 */
async function responseTo(request: ClientRequest): Promise<IncomingMessage | null> {
  try {
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    return response
  } catch (error) {
    if (request.reusedSocket && error instanceof Error && 'code' in error && error.code === 'ECONNRESET') return null
    throw error
  }
}

async function read(response: IncomingMessage, onText: (event: number, atMs: number) => void): Promise<StreamedText> {
  const lines = new SseLines()
  let text = ''
  let events = 0
  let finishReason: string | null = null
  let completionTokens: number | null = null
  let done = false

  for await (const bytes of response) {
    const atMs = performance.now()
    for (const data of lines.push(bytes)) {
      if (data === '[DONE]') {
        done = true
        continue
      }
      const chunk = JSON.parse(data) as Chunk
      if (chunk.error) throw new LoadError(`stream ${chunk.error.code ?? 'error'}`, chunk.error.message ?? data)
      const choice = chunk.choices?.[0]
      if (choice?.text) {
        onText(events, atMs)
        events += 1
        text += choice.text
      }
      finishReason = choice?.finish_reason ?? finishReason
      completionTokens = chunk.usage?.completion_tokens ?? completionTokens
    }
  }
  if (!done) throw new LoadError('cut short', `the stream ended without [DONE] after ${events} events`)
  return { text, finishReason, events, completionTokens }
}
