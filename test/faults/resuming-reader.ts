import { setTimeout as sleep } from 'node:timers/promises'

/** The content of a stream: equal for two runs of a request only if nothing was lost, repeated or wrong. */
export interface ReadText {
  /** For each choice its text, scores and end in a canonical form. */
  readonly choices: readonly ReadChoice[]
  readonly promptTokens: number
  readonly completionTokens: number
}

interface ReadChoice {
  text: string
  finishReason: string | null
  logprobs: string[]
  tokenIds: number[]
}

interface Chunk {
  readonly error?: { readonly message: string; readonly code: string | null }
  readonly usage?: { readonly prompt_tokens: number; readonly completion_tokens: number } | null
  readonly choices?: readonly {
    readonly index: number
    readonly text: string
    readonly finish_reason: string | null
    readonly logprobs: {
      readonly tokens: unknown[]
      readonly token_logprobs: unknown[]
      readonly text_offset: unknown[]
      readonly top_logprobs: unknown[]
    } | null
    readonly token_ids?: readonly number[]
  }[]
}

export interface ReaderOptions {
  /** Base URLs of the API processes that run now; called for each connection. */
  readonly endpoints: () => readonly string[]
  readonly onChunk: () => void
  readonly timeoutMs: number
}

/**
 * Requests a completion and reads its stream to the end. A stream whose connection breaks is resumed after the last
 * event at any API process.
 *
 * @throws {Error} the request failed, an event was repeated or out of order, or the stream did not end in time
 */
export async function readResuming(body: object, options: ReaderOptions): Promise<ReadText> {
  const signal = AbortSignal.timeout(options.timeoutMs)
  const reading = new Reading(options.onChunk)
  let streamId: string | null = null
  for (let attempt = 0; !reading.isDone; attempt++) {
    signal.throwIfAborted()
    const endpoint = options.endpoints()[attempt % options.endpoints().length]
    try {
      const response: Response =
        streamId === null
          ? await post(`${endpoint}/v1/completions`, body, signal)
          : await resume(`${endpoint}/v1/streams/${streamId}`, reading.lastId, signal)
      if (response.status === 503) {
        await response.body?.cancel()
        await sleep(200)
        continue
      }
      if (response.status !== 200) throw new ReadError(`${response.status} ${await response.text()}`)
      streamId ??= response.headers.get('x-stream-id')
      await reading.read(response)
    } catch (error) {
      if (error instanceof ReadError || signal.aborted) throw error
      await sleep(100)
    }
  }
  return reading.result()
}

/** The stream is wrong, or was refused: a retry cannot succeed. */
class ReadError extends Error {}

function post(url: string, body: object, signal: AbortSignal): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-resumable': 'true' },
    body: JSON.stringify({ ...body, stream: true, stream_options: { include_usage: true } }),
    signal
  })
}

function resume(url: string, lastId: number, signal: AbortSignal): Promise<Response> {
  return fetch(`${url}?starting_after=${lastId}`, { signal })
}

class Reading {
  readonly #onChunk: () => void
  readonly #choices: ReadChoice[] = []
  #usage: NonNullable<Chunk['usage']> | null = null
  lastId = 0
  isDone = false

  constructor(onChunk: () => void) {
    this.#onChunk = onChunk
  }

  async read(response: Response): Promise<void> {
    if (response.body === null) return
    let rest = ''
    for await (const piece of response.body.pipeThrough(new TextDecoderStream())) {
      const blocks = (rest + piece).split('\n\n')
      rest = blocks.pop() ?? ''
      for (const block of blocks) this.#take(block)
    }
  }

  result(): ReadText {
    if (this.#usage === null) throw new ReadError('the stream ended without usage')
    return { choices: this.#choices, promptTokens: this.#usage.prompt_tokens, completionTokens: this.#usage.completion_tokens }
  }

  #take(block: string): void {
    const id = /^id: (\d+)$/m.exec(block)?.[1]
    const data = /^data: (.*)$/m.exec(block)?.[1]
    if (data === undefined) return
    if (id !== undefined) {
      if (Number(id) <= this.lastId) throw new ReadError(`event ${id} came after event ${this.lastId}`)
      this.lastId = Number(id)
    }
    if (data === '[DONE]') {
      this.isDone = true
      return
    }
    const chunk = JSON.parse(data) as Chunk
    if (chunk.error !== undefined) {
      const message = `${chunk.error.code ?? 'error'}: ${chunk.error.message}`
      // The API process cannot reach the queue at the moment; the stream still exists.
      throw chunk.error.code === 'service_unavailable' ? new Error(message) : new ReadError(message)
    }
    this.#usage = chunk.usage ?? this.#usage
    for (const delta of chunk.choices ?? []) this.#join(delta)
    if ((chunk.choices ?? []).length > 0) this.#onChunk()
  }

  #join(delta: NonNullable<Chunk['choices']>[number]): void {
    this.#choices[delta.index] ??= { text: '', finishReason: null, logprobs: [], tokenIds: [] }
    const choice = this.#choices[delta.index]
    if (choice === undefined) return
    if (choice.finishReason !== null) throw new ReadError(`choice ${delta.index} continues after its end`)
    choice.text += delta.text
    choice.finishReason = delta.finish_reason
    choice.tokenIds.push(...(delta.token_ids ?? []))
    delta.logprobs?.tokens.forEach((token, at) => {
      const { token_logprobs, text_offset, top_logprobs } = delta.logprobs ?? { token_logprobs: [], text_offset: [], top_logprobs: [] }
      choice.logprobs.push(JSON.stringify([token, token_logprobs[at], text_offset[at], top_logprobs[at]]))
    })
  }
}
