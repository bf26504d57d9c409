import type { TextPort, TextWait } from '../../inference/contract/text-port.ts'
import { invalid } from '../wire/errors/service-errors.ts'
import type { CompletionBody } from './body.ts'
import type { PromptInput } from './prompt-field.ts'

type EncodedFields = Pick<CompletionBody, 'suffix' | 'add_special_tokens' | 'truncate_prompt_tokens' | 'max_tokens'>

/**
 * The token ids of each prompt: truncated if the body requests it, and in fill-in-the-middle form if there is a suffix.
 *
 * If a prompt with its suffix does not fit the context, only that prompt is returned, which then is refused: the suffix
 * may be long, and is repeated for every prompt.
 *
 * @param contextLength  `truncate_prompt_tokens` -1 truncates to this, minus the tokens to generate
 * @throws {ServiceError} `invalid_request` when a prompt has no tokens
 */
export async function encodePrompts(
  prompt: PromptInput,
  body: EncodedFields,
  text: Pick<TextPort, 'encode' | 'facts'>,
  contextLength: number,
  wait: TextWait = {}
): Promise<readonly (readonly number[])[]> {
  const { suffix, add_special_tokens, truncate_prompt_tokens, max_tokens } = body
  const middle = suffix === null ? null : text.facts.fillInTheMiddle
  const options = { ...wait, addSpecialTokens: add_special_tokens }
  const [prompts, suffixIds] = await Promise.all([
    prompt.kind === 'ids' ? prompt.prompts : Promise.all(prompt.texts.map(async one => await text.encode(one, options))),
    suffix === null ? [] : text.encode(suffix, { ...wait, addSpecialTokens: false })
  ])
  if (prompts.some(ids => ids.length === 0))
    throw invalid('prompt', `Invalid 'prompt': a prompt has no tokens. Expected at least one token.`)
  const addedTokens = middle === null ? 0 : suffixIds.length + 3
  const longest = truncate_prompt_tokens === -1 ? Math.max(1, contextLength - addedTokens - (max_tokens ?? 0)) : truncate_prompt_tokens
  const kept = longest === null ? prompts : prompts.map(ids => ids.slice(-longest))
  if (middle === null) return kept
  const tooLong = kept.find(ids => ids.length + addedTokens > contextLength)
  return (tooLong === undefined ? kept : [tooLong]).map(ids => [middle.prefix, ...ids, middle.suffix, ...suffixIds, middle.middle])
}
