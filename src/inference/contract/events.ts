import type { Failure } from './errors.ts'

/**
 * A token and its log-probability (natural log, of the raw model distribution: before temperature, penalties and
 * filters).
 */
export interface ScoredAlternative {
  readonly tokenId: number
  /** The token's own text; a token that is not whole UTF-8 is written `bytes:\xe2\x80`. */
  readonly text: string
  readonly logprob: number
}

/** The entry of `logprobs` for one token. */
export interface TokenScore extends Omit<ScoredAlternative, 'logprob'> {
  /** null for the first token of a prompt, which has no prediction. */
  readonly logprob: number | null
  /**
   * Alternatives, most probable first. The token itself appears only if it ranks among them, with the same float as
   * `logprob`.
   */
  readonly top: readonly ScoredAlternative[]
  /** Rank of the token in the vocabulary, 1 is the most probable; only for prompt tokens after the first. */
  readonly rank?: number
  /** Unicode code points from the start of the prompt to where this token's text starts. */
  readonly textOffset: number
}

export interface ChoiceEnd {
  /** `stop`: end token, stop token or stop string; `length`: maxNewTokens reached. */
  readonly reason: 'stop' | 'length'
  /** The stop string that ended the choice; null where a token or the length did. */
  readonly stopString: string | null
  /** The id among `stopTokenIds` that ended the choice. */
  readonly stopTokenId?: number
}

export interface Usage {
  /** Each prompt counts once, for any n. */
  readonly promptTokens: number
  /** Generated tokens of all choices, returned or not, end tokens included. */
  readonly completionTokens: number
  /** Prompt tokens that were reused from a cached prefix. */
  readonly cachedTokens: number
}

/** Durations in milliseconds, for logs and metrics. */
export interface Timings {
  /** From admission to the first step that computed anything of the request, on any worker. */
  readonly queueMs: number
  /** From that step to the first token of the request. */
  readonly prefillMs: number
  /** From that token to the end. Delay caused by a worker crash counts in the phase in which it happened. */
  readonly decodeMs: number
}

/** The position of a waiting request. Not logged, may repeat. */
export interface QueuedEvent {
  readonly kind: 'queued'
  /** 1 is next. */
  readonly position: number
  /** Estimated milliseconds until it starts, from the durations of other requests; null without an estimate. */
  readonly etaMs: number | null
}

export interface StartedEvent {
  readonly kind: 'started'
  /** Unix milliseconds: a successor's timings begin here. */
  readonly atMs?: number
}

/**
 * Part of an echoed prompt: at most LIMITS.promptEventTokens tokens, in order, before the first token of its choices.
 */
export interface PromptEvent {
  readonly kind: 'prompt'
  readonly promptIndex: number
  readonly tokenIds: readonly number[]
  /** Text released by these tokens; incomplete characters are held back for the next event. */
  readonly text: string
  /** One per token if logprobs were requested, else null. */
  readonly scores: readonly TokenScore[] | null
}

/** One step of one choice. */
export interface GeneratedTokenEvent {
  readonly kind: 'token'
  readonly choice: number
  /** 0 is the first new token of the choice. */
  readonly position: number
  readonly tokenId: number
  /**
   * Text released by this token: usually its own; empty while an incomplete character or a possible stop string is held
   * back.
   */
  readonly text: string
  readonly score: TokenScore | null
  /** Set on the last token of the choice. */
  readonly end: ChoiceEnd | null
  /**
   * Prompt tokens that were reused from a cached prefix. Set on the first token of each prompt, so that a successor
   * reports the same usage.
   */
  readonly cachedTokens?: number
  /** Unix milliseconds; only on the first token of the request. */
  readonly atMs?: number
}

/** Successful end. Choices without an `end` on a token (maxNewTokens 0) ended with `length`. */
export interface FinishedEvent {
  readonly kind: 'finished'
  readonly usage: Usage
  readonly timings: Timings
  /**
   * Where fewer choices are returned than computed: the choices to return, prompt by prompt, the highest mean
   * log-probability per token first.
   */
  readonly ranking?: readonly number[]
}

/** Failed end. Events that were already emitted remain valid. */
export interface FailedEvent {
  readonly kind: 'failed'
  readonly failure: Failure
}

/** The last event of a log. */
export type TerminalEvent = FinishedEvent | FailedEvent

/** Events that the engine emits and the token log stores. */
export type LoggedEvent = StartedEvent | PromptEvent | GeneratedTokenEvent | TerminalEvent

/** Events that a route receives from the queue. */
export type TokenEvent = QueuedEvent | LoggedEvent

/** An event and its number in the request's log: counted from 1, without gaps, over all choices. */
export interface LogEntry {
  readonly ordinal: number
  readonly event: LoggedEvent
}

export function isTerminal(event: TokenEvent): event is TerminalEvent {
  return event.kind === 'finished' || event.kind === 'failed'
}
