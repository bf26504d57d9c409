import type { LoggedEvent } from './events.ts'
import { invariant } from './invariant.ts'
import type { Milestones } from './milestones.ts'
import { choiceCount, type GenerationRequest } from './request.ts'

/** What the log of a request has said already: where an engine goes on. */
export interface History extends Milestones {
  readonly isStarted: boolean
  /** Of each prompt, the tokens that `prompt` events have told. */
  readonly toldPromptTokens: readonly number[]
  /** Of each prompt, as its first token told it; null while none of its choices has said a token. */
  readonly cachedTokens: readonly (number | null)[]
  /** Of each choice, the token ids that it has said. */
  readonly tokenIds: readonly (readonly number[])[]
  /** Of each choice, the sum of the log-probabilities of its tokens; 0 where they are not scored. */
  readonly logprobs: readonly number[]
  /** Of each choice, whether its last token is among them. */
  readonly ended: readonly boolean[]
}

/** @param events  of this request, in order, without a terminal one */
export function readHistory(request: GenerationRequest, events: readonly LoggedEvent[]): History {
  const toldPromptTokens = request.prompts.map(() => 0)
  const cachedTokens = request.prompts.map((): number | null => null)
  const tokenIds = Array.from({ length: choiceCount(request) }, (): number[] => [])
  const logprobs = tokenIds.map(() => 0)
  const ended = tokenIds.map(() => false)
  let startedAtMs: number | null = null
  let firstTokenAtMs: number | null = null
  for (const event of events) {
    if (event.kind === 'prompt') {
      toldPromptTokens[event.promptIndex] = (toldPromptTokens[event.promptIndex] ?? 0) + event.tokenIds.length
    } else if (event.kind === 'token') {
      const said = tokenIds[event.choice]
      invariant(said?.length === event.position, `choice ${event.choice} has a gap before position ${event.position}`)
      said.push(event.tokenId)
      logprobs[event.choice] = (logprobs[event.choice] ?? 0) + (event.score?.logprob ?? 0)
      ended[event.choice] = event.end !== null
      firstTokenAtMs ??= event.atMs ?? null
      cachedTokens[Math.floor(event.choice / request.choicesPerPrompt)] ??= event.cachedTokens ?? 0
    } else {
      invariant(event.kind === 'started', 'a history goes on behind the end of its request')
      startedAtMs = event.atMs ?? null
    }
  }
  return { isStarted: events.length > 0, startedAtMs, firstTokenAtMs, toldPromptTokens, cachedTokens, tokenIds, logprobs, ended }
}
