import type { TextPort, TextWait } from '../../inference/contract/text-port.ts'
import { invalid } from '../wire/fields/invalid.ts'
import type { CompletionBody } from './body.ts'
import type { PromptInput } from './prompt-field.ts'

type EncodedFields = Pick<CompletionBody, 'suffix' | 'add_special_tokens' | 'truncate_prompt_tokens' | 'max_tokens'>

/**
 * The ids of each prompt, cut to its last tokens where the body says so, and put around a gap where a suffix follows
 * it.
 *
 * Where one does not fit the context around its gap it is returned alone: a suffix stands behind each of many prompts,
 * and may be long.
 *
 * @param contextLength  what -1 cuts to, less the tokens that are to be generated
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
  const gap = suffix === null ? null : text.facts.fillInTheMiddle
  const options = { ...wait, addSpecialTokens: add_special_tokens }
  const [prompts, after] = await Promise.all([
    prompt.kind === 'ids' ? prompt.prompts : Promise.all(prompt.texts.map(async one => await text.encode(one, options))),
    suffix === null ? [] : text.encode(suffix, { ...wait, addSpecialTokens: false })
  ])
  if (prompts.some(ids => ids.length === 0)) throw invalid('prompt', `Invalid 'prompt': the text has no tokens. Expected at least one.`)
  const around = gap === null ? 0 : after.length + 3
  const longest = truncate_prompt_tokens === -1 ? Math.max(1, contextLength - around - (max_tokens ?? 0)) : truncate_prompt_tokens
  const kept = longest === null ? prompts : prompts.map(ids => ids.slice(-longest))
  if (gap === null) return kept
  const unfit = kept.find(ids => ids.length + around > contextLength)
  return (unfit === undefined ? kept : [unfit]).map(ids => [gap.prefix, ...ids, gap.suffix, ...after, gap.middle])
}
