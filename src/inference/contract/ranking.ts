import type { GenerationRequest } from './request.ts'

/** The figures by which a choice is ranked. */
export interface ChoiceScore {
  readonly tokens: number
  /** Sum over its tokens, end token included. */
  readonly logprob: number
}

/**
 * The choices to return, prompt by prompt: the `shownPerPrompt` with the highest mean log-probability per token, best
 * first; among equals the lowest number first.
 *
 * @returns null where all are returned
 */
export function rankChoices(
  { choicesPerPrompt, shownPerPrompt }: Pick<GenerationRequest, 'choicesPerPrompt' | 'shownPerPrompt'>,
  scores: readonly ChoiceScore[]
): readonly number[] | null {
  if (shownPerPrompt >= choicesPerPrompt) return null
  const means = scores.map(({ tokens, logprob }) => logprob / Math.max(tokens, 1))
  const ranked: number[] = []
  for (let first = 0; first < scores.length; first += choicesPerPrompt) {
    const choices = Array.from({ length: choicesPerPrompt }, (_, index) => first + index)
    choices.sort((a, b) => (means[b] ?? 0) - (means[a] ?? 0) || a - b)
    ranked.push(...choices.slice(0, shownPerPrompt))
  }
  return ranked
}
