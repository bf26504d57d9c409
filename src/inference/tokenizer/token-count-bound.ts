/**
 * A lower bound of the number of tokens per UTF-16 unit of text. Plain data, sent to a thread.
 *
 * A token of L units costs 1/L for each of them, so that no token costs more than 1. A unit costs as much as in the
 * longest token that contains it: the sum over a text is at most the number of its tokens.
 */
export interface TokenCountBound {
  /**
   * By unit, the last entry for all non-ASCII units: 1 / length of the longest token that contains it; 0 if the unit
   * may be dropped.
   */
  readonly charges: Float64Array
  /**
   * The same for texts with units that normalization may compose, U+0300 and up; null for a tokenizer that does not
   * normalize.
   */
  readonly composed: Float64Array | null
}

const ASCII_UNITS = 0x80
/** NFC does not change text below U+0300. */
const FIRST_COMBINING = /[\u0300-\uffff]/
/**
 * NFC composes at most this many UTF-16 units into one character. Source: Unicode Standard Annex 15, the table of
 * expansion factors.
 */
const COMPOSED_UNITS = 4
/**
 * NFC of the Kelvin sign, the Greek question mark and the Greek varia: the only non-ASCII characters that become ASCII.
 */
const ASCII_SINGLETONS = ['K', ';', '`'] as const
/** Sums of a million charges are exact to 1e-4. */
const ROUNDING = 0.001

export interface VocabularyLengths {
  /** Each token in the form that the tokenizer matches: one unit per byte, or the literal text. */
  readonly tokens: Iterable<string>
  /** Whether a unit can be dropped from a text without a token; 0x80 stands for all non-ASCII units. */
  readonly mayDrop: (unit: number) => boolean
  readonly normalizes: boolean
}

export function tokenCountBound({ tokens, mayDrop, normalizes }: VocabularyLengths): TokenCountBound {
  /** By unit, the last entry for all non-ASCII units. */
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
 * A lower bound of the number of tokens of the text.
 *
 * @param enough  counting stops at this number, so that a very long text costs no more than one just above the limit
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
