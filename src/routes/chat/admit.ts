import { ServiceError } from '../../inference/contract/errors.ts'
import type { GenerationRequest } from '../../inference/contract/request.ts'
import { invalid } from '../wire/errors/service-errors.ts'
import { type Admission, assertRequest, toChoices, toInternalFields } from '../wire/request/admission.ts'
import { admitSampling } from '../wire/request/admit-sampling.ts'
import { assertAnswerSize, maxTokensWithin } from '../wire/request/answer-size.ts'
import { assertMinTokens, maxNewTokens } from '../wire/request/max-new-tokens.ts'
import type { ChatBody } from './body.ts'
import { renderPrompt, toConversation } from './conversation.ts'

/**
 * Turns a body into a request in internal form: rendered by the chat template, tokenized, and within the limits.
 *
 * @throws {ServiceError} `invalid_request`, `model_not_found`, `context_overflow`
 */
export async function admit(body: ChatBody, admission: Admission): Promise<GenerationRequest> {
  const { card, text, warn, signal } = admission
  assertRequest(body, admission)
  assertSupported(body)
  const conversation = toConversation(body, text.facts.chat, warn)

  const sampling = await admitSampling(body, admission)
  const { tokenIds } = await renderPrompt(conversation, text, {
    ...(signal !== undefined && { signal }),
    check: rendered => assertMayFit(body, text.leastTokens(rendered, card.contextLength + 1), card.contextLength)
  })
  if (tokenIds.length === 0)
    throw invalid('messages', `Invalid 'messages': the rendered messages have no tokens. Expected at least one token.`)
  return {
    ...toInternalFields(body, admission),
    ...toChoices(body.n, body.n, sampling),
    prompts: [{ tokenIds }],
    maxNewTokens: boundedLengthOf(body, tokenIds.length, card.contextLength),
    sampling,
    topLogprobs: topLogprobsOf(body),
    echo: body.prompt_logprobs !== null,
    promptLogprobs: body.prompt_logprobs
  }
}

function assertSupported(body: ChatBody): void {
  if ((body.top_logprobs ?? 0) > 0 && !body.logprobs) {
    throw invalid(
      'top_logprobs',
      `Invalid 'top_logprobs': only available with 'logprobs'. Expected 'logprobs' true, but got false instead.`
    )
  }
  if (body.response_format !== null && body.response_format.type !== 'text') {
    throw invalid('response_format', `Invalid 'response_format.type': not supported. Expected 'text'.`)
  }
  const requested = requestedTokens(body)
  if (requested !== null) assertMinTokens(body.min_tokens, requested)
}

function topLogprobsOf({ logprobs, top_logprobs, logprob_token_ids }: ChatBody): number | null {
  if (logprobs) return top_logprobs ?? 0
  return logprob_token_ids === null ? null : 0
}

/**
 * The length of each choice. If the response could become too large, a requested length is refused, a default reduced.
 */
function boundedLengthOf(body: ChatBody, promptTokens: number, contextLength: number): number {
  const perToken = { choices: body.n, alternatives: body.logprob_token_ids?.length ?? topLogprobsOf(body) ?? 0 }
  const promptParts = [
    { choices: body.prompt_logprobs === null ? 0 : 1, tokens: promptTokens, alternatives: body.prompt_logprobs ?? 0 },
    { choices: body.return_token_ids ? 1 : 0, tokens: promptTokens, alternatives: 0 }
  ]
  const fallback = Math.min(contextLength, maxTokensWithin(perToken, promptParts))
  const tokens = lengthOf(body, promptTokens, fallback, contextLength)
  assertAnswerSize([{ ...perToken, tokens }, ...promptParts], body.n === 1 ? 'max_tokens' : 'n')
  return tokens
}

function requestedTokens({ max_completion_tokens, max_tokens }: ChatBody): number | null {
  return max_completion_tokens ?? max_tokens
}

/** The requested length, else `fallback` reduced to what fits the context. */
function lengthOf(body: ChatBody, promptTokens: number, fallback: number, contextLength: number): number {
  const requested = requestedTokens(body)
  const length = { requested, fallback, minTokens: body.min_tokens, promptTokens, contextLength }
  return maxNewTokens(length, () => overflow(requested, promptTokens, contextLength, ''))
}

/** Refuses a text that cannot fit the context, by a lower bound of its tokens, before it is tokenized. */
function assertMayFit(body: ChatBody, leastTokens: number, contextLength: number): void {
  const requested = requestedTokens(body)
  if (leastTokens + (requested ?? 1) > contextLength) throw overflow(requested, leastTokens, contextLength, 'at least ')
}

function overflow(requested: number | null, promptTokens: number, contextLength: number, atLeast: '' | 'at least '): ServiceError {
  const completionTokens = requested ?? 1
  return new ServiceError(
    'context_overflow',
    `This model's maximum context length is ${contextLength} tokens. However, you requested ${atLeast}${promptTokens + completionTokens} tokens ` +
      `(${atLeast}${promptTokens} in the messages, ${completionTokens} in the completion). Please reduce the length of the messages or completion.`,
    { param: 'messages' }
  )
}
