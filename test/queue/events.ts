import type { FinishedEvent, GeneratedTokenEvent } from '../../src/inference/contract/events.ts'

export function aToken(position: number): GeneratedTokenEvent {
  return { kind: 'token', choice: 0, position, tokenId: position, text: 'a', score: null, end: null }
}

export const theEnd: FinishedEvent = {
  kind: 'finished',
  usage: { promptTokens: 1, completionTokens: 1, cachedTokens: 0 },
  timings: { queueMs: 0, prefillMs: 0, decodeMs: 0 }
}
