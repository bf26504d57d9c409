import type { SamplingParams } from './sampling.ts'
import type { Ticket } from './ticket.ts'

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
  /** `n`: independent continuations of each prompt, which share its prefill. */
  readonly choicesPerPrompt: number
  /** Upper bound of new tokens per choice; 0 scores the prompt only. Prompt + new tokens fit the context. */
  readonly maxNewTokens: number
  readonly sampling: SamplingParams
  /** Text at which a choice ends; not part of its text. The one that completes first wins, the longer of two that complete together. */
  readonly stopStrings: readonly string[]
  /** The model's end token does not end a choice. */
  readonly ignoreEos: boolean
  /** Alternatives reported per token; 0 reports the chosen token alone; null reports nothing. */
  readonly topLogprobs: number | null
  /** Emit `prompt` events: the prompt's text, and its scores too if `topLogprobs` is not null. */
  readonly echo: boolean
  /** Prefixes are shared only between requests with the same salt. */
  readonly cacheSalt: string
  /** Unix time in milliseconds at which the API process admitted the request. */
  readonly admittedAtMs: number
  /** The queue's part of it; engines do not look at it. */
  readonly ticket: Ticket
}

/** Rows of the batch that the request can fill at once. */
export function choiceCount(request: Pick<GenerationRequest, 'prompts' | 'choicesPerPrompt'>): number {
  return request.prompts.length * request.choicesPerPrompt
}
