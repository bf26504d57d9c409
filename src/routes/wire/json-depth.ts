import { LIMITS } from '../../inference/contract/limits.ts'

const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d

/**
 * How deep arrays and objects nest in a JSON text: 0 for `1`, 1 for `[]`, 2 for `{"a":[]}`. Linear in the text's length, and needs no
 * stack. Of a text that is not JSON, some number.
 */
export function jsonDepth(text: string): number {
  let depth = 0
  let deepest = 0
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    if (unit === QUOTE) at = endOfString(text, at)
    else if (unit === OPEN_BRACKET || unit === OPEN_BRACE) deepest = Math.max(deepest, ++depth)
    else if (unit === CLOSE_BRACKET || unit === CLOSE_BRACE) depth--
  }
  return deepest
}

/** What is wrong with a JSON text that nests too deep, for a message, without its full stop; null for one that does not. */
export function depthFault(text: string): string | null {
  const depth = jsonDepth(text)
  if (depth <= LIMITS.jsonDepth) return null
  return `JSON nested too deep. Expected at most ${LIMITS.jsonDepth} levels of arrays and objects, but got ${depth} instead`
}

/** @returns where the string that begins at `start` has its closing quote; behind the text's end if it has none */
function endOfString(text: string, start: number): number {
  let at = start + 1
  while (at < text.length) {
    const unit = text.charCodeAt(at)
    if (unit === QUOTE) return at
    at += unit === BACKSLASH ? 2 : 1
  }
  return at
}
