import fc from 'fast-check'
import { GREEDY, request } from './engine-harness.ts'

const tokenId = fc.integer({ min: 3, max: 31 })
/** Prompts with common prefixes, so that prefixes are found, forked and diverge. */
const prompt = fc
  .tuple(fc.constantFrom(0, 0, 5, 31, 32, 41, 64, 70), fc.array(tokenId, { minLength: 1, maxLength: 12 }))
  .map(([shared, own]) => [...Array.from({ length: shared }, (_, index) => 3 + ((index * 7) % 29)), ...own])

/** Requests to the fake model that vary everything that affects a token or its text. */
export const anyGeneration = fc
  .record({
    prompts: fc.array(prompt, { minLength: 1, maxLength: 2 }),
    choicesPerPrompt: fc.constantFrom(1, 1, 1, 2, 3, 6),
    shownPerPrompt: fc.constantFrom(1, 6),
    maxNewTokens: fc.constantFrom(0, 1, 2, 9, 30),
    temperature: fc.constantFrom(0, 1),
    seed: fc.integer({ min: -9, max: 9 }),
    penalty: fc.constantFrom(0, 0, 1.5),
    repetitionPenalty: fc.constantFrom(1, 1, 1.3),
    minNewTokens: fc.constantFrom(0, 0, 4),
    badWords: fc.constantFrom([], [[7], [8, 9]]),
    logitBias: fc.constantFrom([], [], [[3, 4] as const, [4, 4] as const, [5, 4] as const]),
    stopStrings: fc.constantFrom([], ['g'], ['ab', '€']),
    stopTokenIds: fc.constantFrom([], [10, 11]),
    includeStop: fc.boolean(),
    ignoreEos: fc.boolean(),
    skipSpecialTokens: fc.boolean(),
    topLogprobs: fc.constantFrom(null, 0, 2),
    scoredTokenIds: fc.constantFrom([], [12, 13]),
    promptLogprobs: fc.constantFrom(null, 0, 2),
    echo: fc.boolean()
  })
  .map(({ prompts, temperature, seed, penalty, repetitionPenalty, minNewTokens, badWords, logitBias, ...rest }) => ({
    ...request('', []),
    ...rest,
    prompts: prompts.map(tokenIds => ({ tokenIds })),
    sampling: {
      ...GREEDY,
      temperature,
      seed,
      logitBias,
      repetitionPenalty,
      minNewTokens,
      badWords,
      presencePenalty: penalty,
      frequencyPenalty: penalty / 2
    }
  }))

/** Options of engines that serve them. */
export const anyEngine = fc.record({
  slots: fc.integer({ min: 2, max: 5 }),
  blocks: fc.constantFrom(0, 1, 2, 40),
  chunkTokens: fc.integer({ min: 3, max: 20 }),
  loneChunkTokens: fc.integer({ min: 3, max: 40 }),
  minDecodeRows: fc.constantFrom(1 as const, 2 as const),
  budgetTokens: fc.constantFrom(150, 300, 2000)
})
