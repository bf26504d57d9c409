import { z } from 'zod'
import { LIMITS } from '../../inference/contract/limits.ts'
import { nullDefault } from '../wire/fields/null-default.ts'
import { requestFields } from '../wire/fields/request-fields.ts'
import { samplingFields } from '../wire/fields/sampling-fields.ts'
import { promptField } from './prompt-field.ts'

/** OpenAI's default of `max_tokens`. */
export const DEFAULT_MAX_TOKENS = 16

/** Body of POST /v1/completions: OpenAI's `CreateCompletionRequest`, with extensions under vLLM's names. */
export const CompletionBody = z
  .looseObject({
    ...requestFields,
    ...samplingFields,
    prompt: promptField,
    /** An empty suffix is the same as none. */
    suffix: nullDefault(z.string(), null)
      .transform(suffix => (suffix === '' ? null : suffix))
      .describe('Text that follows the completion, for models that support fill-in-the-middle.'),
    max_tokens: nullDefault(z.int().min(0), null).describe(
      'Maximum number of tokens of each choice; default 16. 0 with `echo` and `logprobs` only scores the prompt.'
    ),
    n: nullDefault(z.int().min(1).max(LIMITS.choicesPerPrompt), 1).describe('Number of choices for each prompt.'),
    best_of: nullDefault(z.int().min(1).max(LIMITS.choicesPerPrompt), null).describe(
      'Number of candidates for each prompt, of which the `n` most likely are returned. At least `n`; not more than `n` with `stream`.'
    ),
    logprobs: nullDefault(z.int().min(0).max(LIMITS.topLogprobs), null).describe(
      'Number of most likely tokens whose log-probabilities are returned for each token.'
    ),
    echo: nullDefault(z.boolean(), false).describe('Whether the text begins with the prompt.'),
    truncate_prompt_tokens: nullDefault(z.int().min(-1), null).meta({
      description: 'Number of last tokens that each prompt is truncated to; -1 truncates it to what fits the context.',
      anyOf: [{ const: -1 }, { type: 'integer', minimum: 1 }, { type: 'null' }]
    }),
    add_special_tokens: nullDefault(z.boolean(), true).describe(
      'Whether special tokens, such as a start token, are added to the prompt if the model uses them.'
    )
  })
  .meta({ required: ['model', 'prompt'] })
export type CompletionBody = z.output<typeof CompletionBody>
