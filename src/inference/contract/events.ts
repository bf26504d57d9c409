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

/** What `logprobs` reports of one token. */
export interface TokenScore extends Omit<ScoredAlternative, 'logprob'> {
  /** null for the first token of a prompt, which nothing predicts. */
  readonly logprob: number | null
  /**
   * Alternatives, likeliest first; the token itself is among them only if it is one of them. Its value there is the
   * same float.
   */
  readonly top: readonly ScoredAlternative[]
  /** Of the token among all, 1 is the likeliest; told of prompt tokens that something predicts. */
  readonly rank?: number
  /** Unicode code points from the start of the prompt to where this token's text starts. */
  readonly textOffset: number
}

export interface ChoiceEnd {
  /** `stop`: end token, stop token or stop string; `length`: maxNewTokens reached. */
  readonly reason: 'stop' | 'length'
  /** The stop string that ended it, else null (token, length). */
  readonly stopString: string | null
  /** The one of `stopTokenIds` that ended it. */
  readonly stopTokenId?: number
}

export interface Usage {
  /** Each prompt once, whatever n. */
  readonly promptTokens: number
  /** All tokens generated, over all choices, shown or not, end tokens included. */
  readonly completionTokens: number
  /** Prompt tokens that came from a cached prefix. */
  readonly cachedTokens: number
}

/** Durations in milliseconds, for logs and metrics. */
export interface Timings {
  /** Admission to the first step that computed anything of it, on whatever worker. */
  readonly queueMs: number
  /** That step to the first token of all. */
  readonly prefillMs: number
  /** That token to the end; what the death of a worker cost is part of it, or of what was going on then. */
  readonly decodeMs: number
}

/** Not logged, may repeat: where a waiting request stands. */
export interface QueuedEvent {
  readonly kind: 'queued'
  /** 1 is next. */
  readonly position: number
  /** Milliseconds until it is likely to start, from how long others took; null while nothing is known. */
  readonly etaMs: number | null
}

export interface StartedEvent {
  readonly kind: 'started'
  /** Unix milliseconds: a successor times the request from here. */
  readonly atMs?: number
}

/**
 * With `echo`: at most LIMITS.promptEventTokens tokens of a prompt, in order, before the first token of its choices.
 */
export interface PromptEvent {
  readonly kind: 'prompt'
  readonly promptIndex: number
  readonly tokenIds: readonly number[]
  /** Text released by these tokens; half characters wait for the next event. */
  readonly text: string
  /** One per token if logprobs were asked for, else null. */
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
   * Text released by this token: often its own, empty while a half character or a possible stop string is held back.
   */
  readonly text: string
  readonly score: TokenScore | null
  /** Set on the last token of the choice. */
  readonly end: ChoiceEnd | null
  /**
   * Prompt tokens that came from a cached prefix: told with the first token that a prompt yields, so that a successor's
   * usage is the same.
   */
  readonly cachedTokens?: number
  /** Of the first token of all: when it came, in Unix milliseconds. */
  readonly atMs?: number
}

/** The good end. Choices without an `end` on a token (maxNewTokens 0) ended with `length`. */
export interface FinishedEvent {
  readonly kind: 'finished'
  readonly usage: Usage
  readonly timings: Timings
  /**
   * Where fewer choices are shown than there are: those to show, prompt by prompt, the highest mean log-probability per
   * token first.
   */
  readonly ranking?: readonly number[]
}

/** The bad end. What was said stays said. */
export interface FailedEvent {
  readonly kind: 'failed'
  readonly failure: Failure
}

/** The last event of a log. */
export type TerminalEvent = FinishedEvent | FailedEvent

/** What the engine makes and the token log keeps. */
export type LoggedEvent = StartedEvent | PromptEvent | GeneratedTokenEvent | TerminalEvent

/** Everything that travels up from the queue to a route. */
export type TokenEvent = QueuedEvent | LoggedEvent

/** An event with its place in the request's log: 1 is the first, without gaps, over all choices. */
export interface LogEntry {
  readonly ordinal: number
  readonly event: LoggedEvent
}

export function isTerminal(event: TokenEvent): event is TerminalEvent {
  return event.kind === 'finished' || event.kind === 'failed'
}
