import { ServiceError } from '../../inference/contract/errors.ts'
import { type GenerationRequest, PLAIN_REQUEST } from '../../inference/contract/request.ts'
import { isGreedy, type SamplingParams } from '../../inference/contract/sampling.ts'
import type { TextPort } from '../../inference/contract/text-port.ts'
import { PLAIN_TICKET } from '../../inference/contract/ticket.ts'
import { assertServed, type ModelCard } from '../models/model-card.ts'
import { admitSampling } from '../wire/admit-sampling.ts'
import { assertBody, invalid } from './assert-body.ts'
import { type CompletionBody, DEFAULT_MAX_TOKENS } from './body.ts'
import { encodePrompts } from './encode-prompts.ts'

export interface Admission {
  readonly text: TextPort
  readonly card: ModelCard
  readonly newSeed: () => number
  /** Of this request. */
  readonly id: string
  readonly admittedAtMs: number
  /** Separates the prefixes of one caller from those of another. */
  readonly callerSalt: string
  /** Text that has not been begun is dropped when the caller goes. */
  readonly signal?: AbortSignal
}

/**
 * The client's words end here; behind this line everything is in house words, tokenized and within the limits.
 * Everything that can be refused without work is refused before the texts are encoded.
 *
 * @throws {ServiceError} `invalid_request`, `model_not_found`, `context_overflow`
 */
export async function admit(body: CompletionBody, admission: Admission): Promise<GenerationRequest> {
  const { card, text, callerSalt, signal } = admission
  if (body.model === null) throw new ServiceError('invalid_request', 'you must provide a model parameter')
  assertServed(card, body.model)
  if (body.prompt === null) throw invalid('prompt', 'you must provide a prompt parameter')
  assertBody(body, body.prompt, text)

  const sampling = await admitSampling(body, admission)
  const prompts = await encodePrompts(body.prompt, body, text, card.contextLength, signal === undefined ? {} : { signal })
  const choices = toChoices(body, sampling)
  return {
    ...PLAIN_REQUEST,
    ...choices,
    ...toScores(body, choices.choicesPerPrompt > choices.shownPerPrompt),
    id: admission.id,
    prompts: prompts.map(tokenIds => ({ tokenIds })),
    maxNewTokens: maxNewTokens(body.max_tokens, prompts, card.contextLength),
    sampling,
    stopStrings: body.stop,
    stopTokenIds: body.stop_token_ids ?? [],
    includeStop: body.include_stop_str_in_output,
    ignoreEos: body.ignore_eos,
    skipSpecialTokens: body.skip_special_tokens,
    cacheSalt: body.cache_salt === null ? callerSalt : `${callerSalt}:${body.cache_salt}`,
    admittedAtMs: admission.admittedAtMs,
    ticket: { ...PLAIN_TICKET, owner: callerSalt, priority: body.priority }
  }
}

/** Where nothing is left to chance, one choice is computed and stands for all. */
function toChoices({ n, best_of }: CompletionBody, sampling: SamplingParams) {
  const candidates = best_of ?? n
  if (isGreedy(sampling)) return { choicesPerPrompt: 1, shownPerPrompt: n, standsFor: candidates }
  return { choicesPerPrompt: candidates, shownPerPrompt: n, standsFor: 1 }
}

/** Ranking needs the score of every token; one pass over the prompt serves both of those who want its scores. */
function toScores(body: CompletionBody, isRanked: boolean) {
  const { echo, logprobs, logprob_token_ids, prompt_logprobs } = body
  const echoed = echo ? logprobs : null
  return {
    topLogprobs: logprobs ?? (isRanked || logprob_token_ids !== null ? 0 : null),
    scoredTokenIds: logprob_token_ids ?? [],
    echo: echo || prompt_logprobs !== null,
    promptLogprobs: echoed === null && prompt_logprobs === null ? null : Math.max(echoed ?? 0, prompt_logprobs ?? 0)
  }
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
