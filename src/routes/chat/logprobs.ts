import type { ScoredAlternative, TokenScore } from '../../inference/contract/events.ts'
import { finite, type TokenName } from '../wire/logprob.ts'

/** A token and its log-probability, in the chat API's shape. */
export interface ChatTokenLogprob {
  readonly token: string
  readonly logprob: number
  /** UTF-8 of the token. */
  readonly bytes: readonly number[]
}

/** One token of an answer. */
export interface ChatLogprob extends ChatTokenLogprob {
  readonly top_logprobs: readonly ChatTokenLogprob[]
}

const UTF8 = new TextEncoder()
const PARTIAL = /^bytes:(?:\\x[0-9a-f]{2})+$/

export function toChatLogprob(score: TokenScore, nameOf: TokenName): ChatLogprob {
  const entry = (token: ScoredAlternative) => ({ token: nameOf(token), logprob: finite(token.logprob), bytes: bytesOf(token.text) })
  return { ...entry({ ...score, logprob: score.logprob ?? Number.NEGATIVE_INFINITY }), top_logprobs: score.top.map(entry) }
}

/** A token that is not whole UTF-8 is written `bytes:\xe2\x80`. */
function bytesOf(token: string): number[] {
  if (!PARTIAL.test(token)) return Array.from(UTF8.encode(token))
  return Array.from(token.matchAll(/\\x(..)/g), ([, hex]) => Number.parseInt(hex ?? '', 16))
}
