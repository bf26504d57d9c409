import { ServiceError } from '../../inference/contract/errors.ts'
import { LIMITS } from '../../inference/contract/limits.ts'
import { type GenerationRequest, PLAIN_REQUEST } from '../../inference/contract/request.ts'
import type { TextPort } from '../../inference/contract/text-port.ts'
import { PLAIN_TICKET } from '../../inference/contract/ticket.ts'
import { assertServed, type ModelCard } from '../models/model-card.ts'
import { toSamplingParams } from '../wire/sampling-fields.ts'
import type { CompletionBody } from './body.ts'
import type { PromptInput } from './prompt-field.ts'

const DEFAULT_MAX_TOKENS = 16

export interface Admission {
  readonly text: TextPort
  readonly card: ModelCard
  readonly newSeed: () => number
  /** Of this request. */
  readonly id: string
  readonly admittedAtMs: number
  /** Separates the prefixes of one caller from those of another. */
  readonly callerSalt: string
}

/**
 * The client's words end here; behind this line everything is in house words, tokenized and within the limits.
 * Everything that can be refused without work is refused before the texts are encoded.
 *
 * @throws {ServiceError} `invalid_request`, `model_not_found`, `context_overflow`
 */
export async function admit(body: CompletionBody, admission: Admission): Promise<GenerationRequest> {
  const { card, text } = admission
  if (body.model === null) throw new ServiceError('invalid_request', 'you must provide a model parameter')
  assertServed(card, body.model)
  if (body.prompt === null) throw invalid('prompt', 'you must provide a prompt parameter')
  assertSupported(body)
  assertChoices(promptCount(body.prompt), body.n)
  assertBiasIds(body, text.vocabularySize)

  const prompts = await encode(body.prompt, text)
  return {
    ...PLAIN_REQUEST,
    id: admission.id,
    prompts: prompts.map(tokenIds => ({ tokenIds })),
    choicesPerPrompt: body.n,
    shownPerPrompt: body.n,
    maxNewTokens: maxNewTokens(body.max_tokens, prompts, card.contextLength),
    sampling: toSamplingParams(body, admission.newSeed),
    stopStrings: body.stop,
    ignoreEos: body.ignore_eos,
    topLogprobs: body.logprobs,
    echo: body.echo,
    promptLogprobs: body.echo ? body.logprobs : null,
    cacheSalt: body.cache_salt === null ? admission.callerSalt : `${admission.callerSalt}:${body.cache_salt}`,
    admittedAtMs: admission.admittedAtMs,
    ticket: { ...PLAIN_TICKET, owner: admission.callerSalt }
  }
}

function assertSupported(body: CompletionBody): void {
  if (body.stream_options !== null && !body.stream) {
    throw invalid('stream_options', `Stream options can only be defined when 'stream' is true, but got 'stream' false.`)
  }
  if (body.suffix !== null) throw invalid('suffix', `Invalid 'suffix': this model does not support it. Expected null.`)
  if (body.best_of !== null && body.best_of !== body.n) {
    throw invalid('best_of', `Invalid 'best_of': not supported beyond 'n'. Expected null or ${body.n}, but got ${body.best_of} instead.`)
  }
}

function promptCount(prompt: PromptInput): number {
  return prompt.kind === 'texts' ? prompt.texts.length : prompt.prompts.length
}

function assertChoices(prompts: number, n: number): void {
  const choices = prompts * n
  if (choices <= LIMITS.choicesPerRequest) return
  throw invalid(
    'n',
    `Invalid 'n': too many choices. Expected at most ${LIMITS.choicesPerRequest} prompts × n, but got ${prompts} × ${n} = ${choices} instead.`
  )
}

function assertBiasIds(body: CompletionBody, vocabularySize: number): void {
  for (const [tokenId] of body.logit_bias) {
    if (tokenId >= vocabularySize) throw invalid('logit_bias', outsideVocabulary('logit_bias', tokenId, vocabularySize))
  }
}

async function encode(prompt: PromptInput, text: TextPort): Promise<readonly (readonly number[])[]> {
  if (prompt.kind === 'texts') {
    const prompts = await Promise.all(prompt.texts.map(async one => await text.encode(one)))
    if (prompts.some(ids => ids.length === 0)) throw invalid('prompt', `Invalid 'prompt': the text has no tokens. Expected at least one.`)
    return prompts
  }
  for (const ids of prompt.prompts) {
    for (const id of ids) {
      if (id >= text.vocabularySize) throw invalid('prompt', outsideVocabulary('prompt', id, text.vocabularySize))
    }
  }
  return prompt.prompts
}

/**
 * What the client asked for must fit behind the longest prompt; OpenAI's default of 16 shrinks to the room there is.
 *
 * @throws {ServiceError} `context_overflow`, in OpenAI's words
 */
function maxNewTokens(asked: number | null, prompts: readonly (readonly number[])[], contextLength: number): number {
  const promptTokens = prompts.reduce((longest, ids) => Math.max(longest, ids.length), 0)
  const room = contextLength - promptTokens
  if (asked === null && room > 0) return Math.min(DEFAULT_MAX_TOKENS, room)
  if (asked !== null && asked <= room) return asked
  const completionTokens = asked ?? DEFAULT_MAX_TOKENS
  throw new ServiceError(
    'context_overflow',
    `This model's maximum context length is ${contextLength} tokens, however you requested ${promptTokens + completionTokens} tokens ` +
      `(${promptTokens} in your prompt; ${completionTokens} for the completion). Please reduce your prompt; or completion length.`
  )
}

function outsideVocabulary(field: string, tokenId: number, vocabularySize: number): string {
  return `Invalid '${field}': token id outside the vocabulary. Expected an id below ${vocabularySize}, but got ${tokenId} instead.`
}

function invalid(param: string, message: string): ServiceError {
  return new ServiceError('invalid_request', message, { param })
}
