import http from 'node:http'
import https from 'node:https'

/** An OpenAI-compatible server, with keep-alive connections. */
export class Endpoint {
  readonly base: URL
  readonly #agent: http.Agent
  readonly #headers: Readonly<Record<string, string>>

  constructor(url: string, connections: number, apiKey: string | null) {
    this.base = new URL(url)
    const Agent = this.base.protocol === 'https:' ? https.Agent : http.Agent
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections, scheduling: 'fifo' })
    this.#headers = apiKey === null ? {} : { authorization: `Bearer ${apiKey}` }
  }

  get headers(): Readonly<Record<string, string>> {
    return this.#headers
  }

  /** Opens a request; the caller writes the body and ends it. */
  open(method: 'GET' | 'POST', path: string, signal: AbortSignal, headers: Readonly<Record<string, string>> = {}): http.ClientRequest {
    const client = this.base.protocol === 'https:' ? https : http
    return client.request(new URL(path, this.base), { method, agent: this.#agent, signal, headers: { ...this.#headers, ...headers } })
  }

  /** The id of the first model in /v1/models. */
  async firstModel(): Promise<string> {
    const response = await fetch(new URL('/v1/models', this.base), { headers: this.#headers, signal: AbortSignal.timeout(10_000) }).catch(
      cause => {
        throw new Error(`no server responds at ${this.base.href}`, { cause })
      }
    )
    if (!response.ok) throw new Error(`GET /v1/models returned ${response.status}`)
    const body = (await response.json()) as { readonly data?: readonly { readonly id?: string }[] }
    const id = body.data?.[0]?.id
    if (id === undefined) throw new Error('GET /v1/models lists no model; use --model')
    return id
  }

  close(): void {
    this.#agent.destroy()
  }
}
