import { LIMITS } from '../../inference/contract/limits.ts'
import type { TextPort } from '../../inference/contract/text-port.ts'
import { invalid } from '../wire/errors/service-errors.ts'
import { assertInVocabulary } from '../wire/request/admit-sampling.ts'
import { assertMinTokens } from '../wire/request/max-new-tokens.ts'
import { type CompletionBody, DEFAULT_MAX_TOKENS } from './body.ts'
import type { PromptInput } from './prompt-field.ts'

/**
 * Checks that involve several fields or the model: combinations, products of sizes, unsupported features. They run
 * before any text is tokenized.
 *
 * @throws {ServiceError} `invalid_request`
 */
export function assertBody(body: CompletionBody, prompt: PromptInput, text: Pick<TextPort, 'vocabularySize' | 'facts'>): void {
  assertChoices(body, prompt.kind === 'texts' ? prompt.texts.length : prompt.prompts.length)
  assertLengths(body)
  if (body.suffix !== null) assertSuffix(body, text)
  if (prompt.kind === 'ids') for (const ids of prompt.prompts) assertInVocabulary('prompt', ids, text.vocabularySize)
}

function assertChoices({ n, best_of, stream }: CompletionBody, promptCount: number): void {
  if (best_of !== null && n > best_of) {
    throw invalid(
      'best_of',
      `You requested that the server return more choices than it will generate (HINT: you must set 'n' (currently ${n}) to be at most ` +
        `'best_of' (currently ${best_of}), or omit either parameter if you don't specifically want to use them.)`
    )
  }
  if (best_of !== null && best_of > n && stream) {
    throw invalid('best_of', `Invalid 'best_of': results cannot be streamed beyond 'n'. Expected at most ${n}, but got ${best_of} instead.`)
  }
  const perPrompt = best_of ?? n
  const choices = promptCount * perPrompt
  if (choices <= LIMITS.choicesPerRequest) return
  const field = best_of === null ? 'n' : 'best_of'
  throw invalid(
    field,
    `Invalid '${field}': too many choices. Expected at most ${LIMITS.choicesPerRequest} prompts × ${field}, but got ${promptCount} × ${perPrompt} = ${choices} instead.`
  )
}

function assertLengths({ min_tokens, max_tokens, truncate_prompt_tokens }: CompletionBody): void {
  assertMinTokens(min_tokens, max_tokens ?? DEFAULT_MAX_TOKENS)
  if (truncate_prompt_tokens === 0) {
    throw invalid('truncate_prompt_tokens', `Invalid 'truncate_prompt_tokens': expected -1 or a value >= 1, but got 0 instead.`)
  }
}

function assertSuffix({ echo }: CompletionBody, { facts }: Pick<TextPort, 'facts'>): void {
  if (facts.fillInTheMiddle === null) {
    throw invalid('suffix', `Invalid 'suffix': this model does not support fill-in-the-middle. Expected null, but got a suffix.`)
  }
  if (echo) throw invalid('suffix', `Invalid 'suffix': not available when 'echo' is true. Expected null, but got a suffix.`)
}
