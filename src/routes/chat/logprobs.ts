import type { TokenScore } from '../../inference/contract/events.ts'

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

/** −∞ on the wire, as OpenAI and vLLM write it. */
const MINUS_INFINITY = -9999.0
const UTF8 = new TextEncoder()
const PARTIAL = /^bytes:(?:\\x[0-9a-f]{2})+$/

export function toChatLogprob(score: TokenScore): ChatLogprob {
  return { ...entry(score.text, score.logprob ?? MINUS_INFINITY), top_logprobs: score.top.map(({ text, logprob }) => entry(text, logprob)) }
}

function entry(token: string, logprob: number): ChatTokenLogprob {
  return { token, logprob: Math.max(logprob, MINUS_INFINITY), bytes: bytesOf(token) }
}

/** A token that is not whole UTF-8 is written `bytes:\xe2\x80`. */
function bytesOf(token: string): number[] {
  if (!PARTIAL.test(token)) return Array.from(UTF8.encode(token))
  return Array.from(token.matchAll(/\\x(..)/g), ([, hex]) => Number.parseInt(hex ?? '', 16))
}
