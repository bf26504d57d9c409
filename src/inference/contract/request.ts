import type { DeliveryPolicy } from './delivery-policy.ts'
import type { SamplingParams } from './sampling.ts'

/** One prompt, tokenized and within the context. */
export interface Prompt {
  /** At least one id, each in the vocabulary. */
  readonly tokenIds: readonly number[]
}

/**
 * A request as it goes down into the house: valid, tokenized, in house words, plain data that survives JSON and IPC.
 * Choices are numbered prompt-major: choice = promptIndex × choicesPerPrompt + i.
 */
export interface GenerationRequest {
  /** The response's id on the wire: `cmpl-` or `chatcmpl-` and 128 random bits. */
  readonly id: string
  readonly prompts: readonly Prompt[]
  /** Independent continuations of each prompt, which share its prefill. */
  readonly choicesPerPrompt: number
  /**
   * Continuations that the client is shown of each prompt (`n`). Fewer than there are: the best
   * (`FinishedEvent.ranking`), and every token is scored. More: all would be equal, and one is computed for all.
   */
  readonly shownPerPrompt: number
  /** How many equal choices each computed one stands for in `usage`; 1 where they differ. */
  readonly standsFor: number
  /** Upper bound of new tokens per choice; 0 scores the prompt only. Prompt + new tokens fit the context. */
  readonly maxNewTokens: number
  readonly sampling: SamplingParams
  /** Text at which a choice ends. The one that completes first wins, the longer of two that complete together. */
  readonly stopStrings: readonly string[]
  /** Tokens that end a choice, whatever `ignoreEos`. */
  readonly stopTokenIds: readonly number[]
  /** What ended a choice, stop string or token, is part of its text. */
  readonly includeStop: boolean
  /** The model's end token does not end a choice. */
  readonly ignoreEos: boolean
  /** Control tokens are no part of the text. */
  readonly skipSpecialTokens: boolean
  /** Alternatives reported per generated token; 0 reports the chosen token alone; null reports nothing. */
  readonly topLogprobs: number | null
  /** Where there are any, the alternatives that are reported, instead of the likeliest. */
  readonly scoredTokenIds: readonly number[]
  /** Emit `prompt` events: the prompt's text, and its scores too if `promptLogprobs` is not null. */
  readonly echo: boolean
  /** Alternatives reported per token of an echoed prompt; null reports nothing. */
  readonly promptLogprobs: number | null
  /** Prefixes are shared only between requests with the same salt. */
  readonly cacheSalt: string
  /** Unix time in milliseconds at which the API process admitted the request. */
  readonly admittedAtMs: number
  /** The queue's part of it; engines do not look at it. */
  readonly delivery: DeliveryPolicy
}

/**
 * One choice of each prompt that ends at the end token or by length, and reports its text only: what a caller starts
 * from that wants more.
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
