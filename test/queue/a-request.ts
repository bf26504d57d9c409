import type { GenerationRequest } from '../../src/inference/contract/request.ts'

let made = 0

/** A valid request of three tokens with an id of its own; the test names what matters to it. */
export function aRequest(overrides: Partial<GenerationRequest> = {}): GenerationRequest {
  return {
    id: `cmpl-${++made}`,
    prompts: [{ tokenIds: [1] }],
    choicesPerPrompt: 1,
    maxNewTokens: 3,
    sampling: {
      temperature: 0,
      topP: 1,
      topK: 0,
      minP: 0,
      presencePenalty: 0,
      frequencyPenalty: 0,
      logitBias: [],
      seed: 0
    },
    stopStrings: [],
    ignoreEos: false,
    topLogprobs: null,
    echo: false,
    cacheSalt: '',
    admittedAtMs: 0,
    ...overrides
  }
}
