import { promptAt } from '../../load/requests/prompts.ts'

/** Fields of a body of POST /v1/completions, without `stream`. */
export type CaseBody = Readonly<Record<string, unknown>>

/**
 * Every kind of request whose continuation depends on some state, each with its own prompt; seeded, so that a second
 * run gives the same text.
 */
export function mixedCases(count: number, maxTokens: number, model: string): readonly CaseBody[] {
  return Array.from({ length: count }, (_, index) => ({
    model,
    prompt: promptAt(index)
      .split(' ')
      .slice(0, 12 + (index % 30))
      .join(' '),
    max_tokens: maxTokens - (index % 7),
    ignore_eos: index % 3 !== 0,
    ...KINDS[index % KINDS.length]?.(index)
  }))
}

const KINDS: readonly ((index: number) => CaseBody)[] = [
  () => ({ temperature: 0 }),
  index => ({ temperature: 0.9, top_p: 0.95, seed: 1000 + index }),
  index => ({ temperature: 1, n: 2, seed: 2000 + index }),
  index => ({ temperature: 0.7, seed: 3000 + index, stop: ['. ', 'the', 'ing '], n: 2 }),
  () => ({ temperature: 0, logprobs: 3 }),
  index => ({ temperature: 0.8, seed: 4000 + index, logprobs: 2, presence_penalty: 0.6, frequency_penalty: 0.4 }),
  index => ({ temperature: 1.1, seed: 5000 + index, top_k: 40, logit_bias: { 30: -3, 284: 2 }, return_token_ids: true }),
  index => ({ temperature: 0.6, seed: 6000 + index, echo: true, logprobs: 1 }),
  index => ({ temperature: 0, stop: [' and', '\n'], prompt: [promptAt(index).slice(0, 60), promptAt(index + 1).slice(0, 90)] })
]
