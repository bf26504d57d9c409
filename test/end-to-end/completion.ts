import { z } from 'zod'

const Logprobs = z.object({
  tokens: z.array(z.string()),
  token_logprobs: z.array(z.number().nullable()),
  top_logprobs: z.array(z.record(z.string(), z.number()).nullable()).nullable(),
  text_offset: z.array(z.int())
})

const Choice = z.object({
  text: z.string(),
  index: z.int(),
  logprobs: Logprobs.nullable(),
  finish_reason: z.string().nullable(),
  stop_reason: z.unknown(),
  token_ids: z.array(z.int()).default([]),
  prompt_token_ids: z.array(z.int()).nullable().default(null)
})
export type Choice = z.infer<typeof Choice>

const Usage = z.object({
  prompt_tokens: z.int(),
  completion_tokens: z.int(),
  total_tokens: z.int(),
  prompt_tokens_details: z.object({ cached_tokens: z.int() })
})

export const Completion = z.object({ choices: z.array(Choice), usage: Usage.nullable().optional() })
const ErrorBody = z.object({ error: z.object({ message: z.string(), type: z.string(), code: z.string().nullable() }) })
export type ErrorBody = z.infer<typeof ErrorBody>['error']

export interface Answer {
  readonly choices: readonly Choice[]
  readonly usage: z.infer<typeof Usage> | null
}

/** The answer to a request that was not streamed. */
export async function readWhole(response: Response): Promise<Answer> {
  const body = await readJson(response)
  const { choices, usage } = Completion.parse(body, { error: () => `no completion: ${JSON.stringify(body)}` })
  return { choices, usage: usage ?? null }
}

export async function readError(response: Response): Promise<ErrorBody & { readonly status: number }> {
  return { status: response.status, ...ErrorBody.parse(await readJson(response)).error }
}

/** How a stream went: its chunks put together, and whether it ended by `[DONE]` or by an error. */
export interface StreamedAnswer extends Answer {
  readonly isDone: boolean
  readonly error: ErrorBody | null
}

/** The data of each event of a stream, comments and field names aside. */
export async function* sseData(response: Response): AsyncGenerator<string> {
  if (response.body === null) return
  let rest = ''
  for await (const piece of response.body.pipeThrough(new TextDecoderStream())) {
    const blocks = (rest + piece).split('\n\n')
    rest = blocks.pop() ?? ''
    for (const block of blocks) {
      const data = block.split('\n').flatMap(line => (line.startsWith('data: ') ? [line.slice(6)] : []))
      if (data.length > 0) yield data.join('\n')
    }
  }
}

export async function readStream(response: Response): Promise<StreamedAnswer> {
  const choices: Choice[] = []
  let usage: Answer['usage'] = null
  let error: ErrorBody | null = null
  let isDone = false
  for await (const data of sseData(response)) {
    if (data === '[DONE]') {
      isDone = true
      continue
    }
    const body: unknown = JSON.parse(data)
    const failure = ErrorBody.safeParse(body)
    if (failure.success) {
      error = failure.data.error
      continue
    }
    const chunk = Completion.parse(body)
    usage = chunk.usage ?? usage
    for (const delta of chunk.choices) choices[delta.index] = join(choices[delta.index], delta)
  }
  return { choices, usage, isDone, error }
}

function join(sofar: Choice | undefined, delta: Choice): Choice {
  if (sofar === undefined) return delta
  return {
    index: delta.index,
    text: sofar.text + delta.text,
    logprobs: joinLogprobs(sofar.logprobs, delta.logprobs),
    finish_reason: delta.finish_reason,
    stop_reason: delta.stop_reason,
    token_ids: [...sofar.token_ids, ...delta.token_ids],
    prompt_token_ids: sofar.prompt_token_ids ?? delta.prompt_token_ids
  }
}

function joinLogprobs(sofar: Choice['logprobs'], delta: Choice['logprobs']): Choice['logprobs'] {
  if (sofar === null || delta === null) return sofar ?? delta
  return {
    tokens: [...sofar.tokens, ...delta.tokens],
    token_logprobs: [...sofar.token_logprobs, ...delta.token_logprobs],
    top_logprobs: [...(sofar.top_logprobs ?? []), ...(delta.top_logprobs ?? [])],
    text_offset: [...sofar.text_offset, ...delta.text_offset]
  }
}

async function readJson(response: Response): Promise<unknown> {
  return JSON.parse(await response.text())
}
