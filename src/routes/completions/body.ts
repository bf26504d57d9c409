import { z } from 'zod'
import { LIMITS } from '../../inference/contract/limits.ts'
import { nullDefault } from '../wire/fields/null-default.ts'
import { requestFields } from '../wire/fields/request-fields.ts'
import { samplingFields } from '../wire/fields/sampling-fields.ts'
import { promptField } from './prompt-field.ts'

/** OpenAI's, where a body says nothing of `max_tokens`. */
export const DEFAULT_MAX_TOKENS = 16

/**
 * Body of POST /v1/completions: OpenAI's `CreateCompletionRequest`, and extensions under the names that vLLM gave them.
 */
export const CompletionBody = z
  .looseObject({
    ...requestFields,
    ...samplingFields,
    prompt: promptField,
    /** An empty one is none. */
    suffix: nullDefault(z.string(), null)
      .transform(suffix => (suffix === '' ? null : suffix))
      .describe('What comes behind the text, for models that fill gaps.'),
    max_tokens: nullDefault(z.int().min(0), null).describe(
      'Most tokens of each choice: 16 where nothing is said. 0 with `echo` only scores the prompt.'
    ),
    n: nullDefault(z.int().min(1).max(LIMITS.choicesPerPrompt), 1).describe('Choices for each prompt.'),
    best_of: nullDefault(z.int().min(1).max(LIMITS.choicesPerPrompt), null).describe(
      'Candidates for each prompt, of which the `n` likeliest are shown. Not less than `n`.'
    ),
    logprobs: nullDefault(z.int().min(0).max(LIMITS.topLogprobs), null).describe('How many alternatives are told with each token.'),
    echo: nullDefault(z.boolean(), false).describe('Whether the answer begins with the prompt.'),
    truncate_prompt_tokens: nullDefault(z.int().min(-1), null).meta({
      description: 'Prompts are cut to so many of their last tokens; -1 to what fits the context.',
      anyOf: [{ const: -1 }, { type: 'integer', minimum: 1 }, { type: 'null' }]
    }),
    add_special_tokens: nullDefault(z.boolean(), true).describe('Whether prompts begin with the start token, where the model wants one.')
  })
  .meta({ required: ['model', 'prompt'] })
export type CompletionBody = z.output<typeof CompletionBody>
