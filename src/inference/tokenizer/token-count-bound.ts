/**
 * How much text one token of a vocabulary can stand for, by the text's UTF-16 units. Plain data: crosses to a thread.
 *
 * A token that stands for L units is charged 1/L for each of them, so that no token is charged more than 1, and a unit
 * is charged as the longest token that can hold it: the sum over a text is at most the number of its tokens.
 */
export interface TokenCountBound {
  /**
   * By unit, the last one for all that are not ASCII: one over the length of the longest token that holds it; 0 where
   * it may be dropped.
   */
  readonly charges: Float64Array
  /**
   * The same for texts with units that normalization may join, U+0300 and up; null for a tokenizer that does not
   * normalize.
   */
  readonly composed: Float64Array | null
}

const ASCII_UNITS = 0x80
/** NFC leaves text below it alone. */
const FIRST_COMBINING = /[\u0300-\uffff]/
/**
 * A character that NFC makes has at most so many UTF-16 units of text before. Source: Unicode Standard Annex 15, the
 * table of expansion factors.
 */
const COMPOSED_UNITS = 4
/**
 * What NFC makes of the Kelvin sign, the Greek question mark and the Greek varia: the only ASCII that it writes for
 * other characters.
 */
const ASCII_SINGLETONS = ['K', ';', '`'] as const
/** Sums of a million charges are exact to 1e-4. */
const ROUNDING = 0.001

export interface VocabularyLengths {
  /** Each token as text of the form that the tokenizer looks for: one unit for a byte, or as it is written. */
  readonly tokens: Iterable<string>
  /** Whether a unit, above ASCII 0x80 standing for all others, can vanish from a text without any token. */
  readonly mayDrop: (unit: number) => boolean
  readonly normalizes: boolean
}

export function tokenCountBound({ tokens, mayDrop, normalizes }: VocabularyLengths): TokenCountBound {
  /** By unit, the last one for all that are not ASCII. */
  const longest = new Array<number>(ASCII_UNITS + 1).fill(1)
  for (const token of tokens) {
    for (let at = 0; at < token.length; at++) {
      const index = Math.min(ASCII_UNITS, token.charCodeAt(at))
      longest[index] = Math.max(longest[index] ?? 1, token.length)
    }
  }
  const charges = Float64Array.from(longest, (length, unit) => (mayDrop(unit) ? 0 : 1 / length))
  return { charges, composed: normalizes ? composedCharges(charges) : null }
}

/**
 * At most the number of tokens of the text.
 *
 * @param enough  counting ends there, so that a long text costs little more than one that is just too long
 */
export function leastTokens(text: string, bound: TokenCountBound, enough: number): number {
  const charges = bound.composed !== null && FIRST_COMBINING.test(text) ? bound.composed : bound.charges
  let sum = 0
  for (let at = 0; at < text.length && sum < enough + ROUNDING; at++) sum += charges[Math.min(ASCII_UNITS, text.charCodeAt(at))] ?? 0
  return Math.min(enough, Math.max(0, Math.ceil(sum - ROUNDING)))
}

function composedCharges(charges: Float64Array): Float64Array {
  const part = (charges[ASCII_UNITS] ?? 0) / COMPOSED_UNITS
  const composed = charges.map(charge => Math.min(charge, part))
  composed[ASCII_UNITS] = Math.min(part, ...ASCII_SINGLETONS.map(character => charges[character.charCodeAt(0)] ?? 0))
  return composed
}
