import { ServiceError } from '../../inference/contract/errors.ts'
import type { GenerationRequest } from '../../inference/contract/request.ts'
import { invalid } from '../wire/errors/service-errors.ts'
import { type Admission, assertRequest, toChoices, toInternalFields } from '../wire/request/admission.ts'
import { admitSampling } from '../wire/request/admit-sampling.ts'
import { assertAnswerSize } from '../wire/request/answer-size.ts'
import { maxNewTokens } from '../wire/request/max-new-tokens.ts'
import { assertBody } from './assert-body.ts'
import { type CompletionBody, DEFAULT_MAX_TOKENS } from './body.ts'
import { encodePrompts } from './encode-prompts.ts'
import type { PromptInput } from './prompt-field.ts'

/**
 * Turns a body into a request in internal form: tokenized, and within the limits. Checks that need no tokenizer come
 * first.
 *
 * @throws {ServiceError} `invalid_request`, `model_not_found`, `context_overflow`
 */
export async function admit(body: CompletionBody, admission: Admission): Promise<GenerationRequest> {
  const { card, text, signal } = admission
  assertRequest(body, admission)
  if (body.prompt === null) throw invalid('prompt', 'you must provide a prompt parameter')
  assertBody(body, body.prompt, text)

  assertMayFit(body, body.prompt, admission)

  const sampling = await admitSampling(body, admission)
  const prompts = await encodePrompts(body.prompt, body, text, card.contextLength, signal === undefined ? {} : { signal })
  const choices = toChoices(body.n, body.best_of ?? body.n, sampling)
  const scores = toScores(body, choices.choicesPerPrompt > choices.shownPerPrompt)
  const maxNewTokens = lengthOf(body, prompts, card.contextLength)
  assertSize(body, prompts, maxNewTokens, scores.topLogprobs)
  return {
    ...toInternalFields(body, admission),
    ...choices,
    ...scores,
    prompts: prompts.map(tokenIds => ({ tokenIds })),
    maxNewTokens,
    sampling
  }
}

/** Each choice repeats its prompt: as echo, with log-probabilities, and as ids. */
function assertSize(body: CompletionBody, prompts: readonly (readonly number[])[], newTokens: number, topLogprobs: number | null): void {
  const { n, best_of, echo, logprobs, logprob_token_ids, prompt_logprobs, return_token_ids } = body
  const choices = best_of ?? n
  const promptTokens = prompts.reduce((sum, ids) => sum + ids.length, 0)
  const parts = [
    { choices: choices * prompts.length, tokens: newTokens, alternatives: logprob_token_ids?.length ?? topLogprobs ?? 0 },
    { choices: echo ? choices : 0, tokens: promptTokens, alternatives: logprobs ?? 0 },
    { choices: prompt_logprobs === null ? 0 : choices, tokens: promptTokens, alternatives: prompt_logprobs ?? 0 },
    { choices: return_token_ids ? choices : 0, tokens: promptTokens, alternatives: 0 }
  ]
  const field = best_of === null ? 'n' : 'best_of'
  assertAnswerSize(parts, choices * prompts.length === 1 ? 'max_tokens' : field)
}

/** Ranking needs the score of every token. `echo` and `prompt_logprobs` share one pass over the prompt. */
function toScores(body: CompletionBody, isRanked: boolean) {
  const { echo, logprobs, logprob_token_ids, prompt_logprobs } = body
  const echoed = echo ? logprobs : null
  return {
    topLogprobs: logprobs ?? (isRanked || logprob_token_ids !== null ? 0 : null),
    echo: echo || prompt_logprobs !== null,
    promptLogprobs: echoed === null && prompt_logprobs === null ? null : Math.max(echoed ?? 0, prompt_logprobs ?? 0)
  }
}

/** OpenAI's default of 16 is reduced to what fits the context. */
function lengthOf(body: CompletionBody, prompts: readonly (readonly number[])[], contextLength: number): number {
  const promptTokens = prompts.reduce((longest, ids) => Math.max(longest, ids.length), 0)
  const length = { requested: body.max_tokens, fallback: DEFAULT_MAX_TOKENS, minTokens: body.min_tokens, promptTokens, contextLength }
  return maxNewTokens(length, () => overflow(body, promptTokens, contextLength, ''))
}

/** Refuses texts that cannot fit the context, by a lower bound of their tokens, before any of them is tokenized. */
function assertMayFit(body: CompletionBody, prompt: PromptInput, { text, card }: Pick<Admission, 'text' | 'card'>): void {
  if (prompt.kind === 'ids' || body.truncate_prompt_tokens !== null) return
  const tooMany = card.contextLength + 1
  const suffixTokens = body.suffix === null ? 0 : text.leastTokens(body.suffix, tooMany)
  for (const promptText of prompt.texts) {
    const leastTokens = suffixTokens + text.leastTokens(promptText, tooMany)
    if (leastTokens + (body.max_tokens ?? 1) > card.contextLength) throw overflow(body, leastTokens, card.contextLength, 'at least ')
  }
}

function overflow({ max_tokens }: CompletionBody, promptTokens: number, contextLength: number, atLeast: '' | 'at least '): ServiceError {
  const completionTokens = max_tokens ?? DEFAULT_MAX_TOKENS
  return new ServiceError(
    'context_overflow',
    `This model's maximum context length is ${contextLength} tokens, however you requested ${atLeast}${promptTokens + completionTokens} tokens ` +
      `(${atLeast}${promptTokens} in your prompt; ${completionTokens} for the completion). Please reduce your prompt; or completion length.`
  )
}
