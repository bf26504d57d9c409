import type { DeliveryPolicy } from './delivery-policy.ts'
import { LIMITS } from './limits.ts'
import type { SamplingParams } from './sampling.ts'

/** One prompt, tokenized and within the context. */
export interface Prompt {
  /** At least one id, each in the vocabulary. */
  readonly tokenIds: readonly number[]
}

/**
 * A request in internal form: valid, tokenized, plain data that can be sent as JSON and over IPC.
 * Choices are numbered prompt-major: choice = promptIndex × choicesPerPrompt + i.
 */
export interface GenerationRequest {
  /** The id of the response: `cmpl-` or `chatcmpl-` and 128 random bits. */
  readonly id: string
  readonly prompts: readonly Prompt[]
  /** Independent continuations of each prompt, which share its prefill. */
  readonly choicesPerPrompt: number
  /**
   * Continuations of each prompt that are returned to the client (`n`). If fewer than `choicesPerPrompt`: the best ones
   * (`FinishedEvent.ranking`), and every token is scored. If more: all would be equal, and one is computed for all.
   */
  readonly shownPerPrompt: number
  /** Number of equal choices that each computed choice represents in `usage`; 1 where they differ. */
  readonly standsFor: number
  /** Most new tokens per choice; 0 scores the prompt only. Prompt and new tokens fit the context. */
  readonly maxNewTokens: number
  readonly sampling: SamplingParams
  /** Texts that end a choice: the one completed first, or the longer of two completed by the same token. */
  readonly stopStrings: readonly string[]
  /** Tokens that end a choice, independent of `ignoreEos`. */
  readonly stopTokenIds: readonly number[]
  /** The stop string or stop token that ended a choice is part of its text. */
  readonly includeStop: boolean
  /** The model's end token does not end a choice. */
  readonly ignoreEos: boolean
  /** Control tokens are not part of the text. */
  readonly skipSpecialTokens: boolean
  /** Alternatives reported per generated token; 0: the chosen token alone; null: no scores. */
  readonly topLogprobs: number | null
  /** Unless empty: reported as alternatives instead of the most probable tokens. */
  readonly scoredTokenIds: readonly number[]
  /** Emit `prompt` events: the prompt's text, and its scores if `promptLogprobs` is not null. */
  readonly echo: boolean
  /** Alternatives reported per token of an echoed prompt; null: no scores. */
  readonly promptLogprobs: number | null
  /** Prefixes are shared only between requests with the same salt. */
  readonly cacheSalt: string
  /** Unix time in milliseconds at which the API process admitted the request. */
  readonly admittedAtMs: number
  /** Used by the queue, ignored by engines. */
  readonly delivery: DeliveryPolicy
}

/**
 * Defaults: one choice of each prompt, which ends at the end token or by length and reports its text only. Callers
 * override single fields.
 */
export const PLAIN_REQUEST = {
  choicesPerPrompt: 1,
  shownPerPrompt: 1,
  standsFor: 1,
  stopStrings: [],
  stopTokenIds: [],
  includeStop: false,
  ignoreEos: false,
  skipSpecialTokens: true,
  topLogprobs: null,
  scoredTokenIds: [],
  echo: false,
  promptLogprobs: null,
  cacheSalt: ''
} as const satisfies Partial<GenerationRequest>

/** Tokens of all prompts together. */
export function promptTokensOf({ prompts }: Pick<GenerationRequest, 'prompts'>): number {
  return prompts.reduce((sum, { tokenIds }) => sum + tokenIds.length, 0)
}

/** Rows of the batch that the request can fill at once. */
export function choiceCount(request: Pick<GenerationRequest, 'prompts' | 'choicesPerPrompt'>): number {
  return request.prompts.length * request.choicesPerPrompt
}

/** Tokens and alternatives in the log of the request, if it generates as many tokens as it may. */
function logEntriesOf(request: Omit<GenerationRequest, 'delivery'>): number {
  const { maxNewTokens, topLogprobs, scoredTokenIds, echo, promptLogprobs } = request
  const alternatives = topLogprobs === null ? 0 : Math.max(topLogprobs, scoredTokenIds.length)
  const generated = choiceCount(request) * maxNewTokens * (1 + alternatives)
  return generated + (echo ? promptTokensOf(request) * (1 + (promptLogprobs ?? 0)) : 0)
}

/**
 * Rows of a worker that a queue reserves for the request: one for each choice, or more where its log can become large,
 * so that the logs of all running requests are bounded by the rows of all workers.
 */
export function reservedRows(request: Omit<GenerationRequest, 'delivery'>): number {
  return Math.max(choiceCount(request), Math.ceil(logEntriesOf(request) / LIMITS.logEntriesPerRow))
}
