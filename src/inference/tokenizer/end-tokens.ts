/** End tokens as declared in one place of a model's files. */
export interface StatedEnds {
  /** File and key. */
  readonly source: string
  readonly tokenIds: readonly number[]
}

const MAX_LISTED = 8

/**
 * Control tokens that end a text or a turn in every model that has them. Source: llama.cpp, `llama-vocab.cpp`,
 * `special_eog_ids`.
 */
const KNOWN_ENDS: ReadonlySet<string> = new Set([
  '<|eot_id|>',
  '<|im_end|>',
  '<|end|>',
  '<|return|>',
  '<|call|>',
  '<|flush|>',
  '<|calls|>',
  '<end_of_turn>',
  '<|endoftext|>',
  '</s>',
  '<|eom_id|>',
  '<EOT>',
  '_<EOT>',
  '[EOT]',
  '[EOS]',
  '<|EOT|>',
  '<|end_of_text|>',
  '<｜end▁of▁sentence｜>',
  '<end_of_utterance>',
  '<eos>',
  '<turn|>',
  '<|tool_response>'
])

/**
 * In a vocabulary with both tokens of a pair, `<|end|>` ends only a part of a message (gpt-oss, Solar Open). Source:
 * llama.cpp, as above.
 */
const ENDS_OF_MESSAGES: readonly (readonly [string, string])[] = [
  ['<|return|>', '<|call|>'],
  ['<|calls|>', '<|flush|>']
]

/**
 * All tokens that end a text: those declared in the files and the well-known ones.
 *
 * @param specials  control tokens by their text
 */
export function endTokensOf(stated: readonly StatedEnds[], specials: ReadonlyMap<string, number>): readonly number[] {
  const ends = new Set(stated.flatMap(({ tokenIds }) => tokenIds))
  for (const [text, tokenId] of specials) if (KNOWN_ENDS.has(text)) ends.add(tokenId)
  const end = specials.get('<|end|>')
  if (end !== undefined && ENDS_OF_MESSAGES.some(pair => pair.every(text => specials.has(text)))) ends.delete(end)
  return [...ends]
}

/**
 * A warning for the operator when the files declare different end tokens; null otherwise.
 *
 * @param textOf  the text of a token
 */
export function endTokenWarning(stated: readonly StatedEnds[], textOf: (tokenId: number) => string): string | null {
  const named = stated.filter(({ tokenIds }) => tokenIds.length > 0)
  const sets = named.map(({ tokenIds }) => new Set(tokenIds))
  const [first] = sets
  if (first === undefined || sets.every(set => set.symmetricDifference(first).size === 0)) return null
  const list = named.map(({ source, tokenIds }) => `${source} ${listed(tokenIds.map(id => `${id} (${textOf(id).slice(0, 80)})`))}`)
  return `the model's files name different end tokens: ${list.join('; ')}. A text ends at any of them.`
}

/** The first few items, for a warning of bounded length. */
export function listed(items: readonly string[]): string {
  return items.length > MAX_LISTED ? `${items.slice(0, MAX_LISTED).join(', ')}, ...` : items.join(', ')
}
