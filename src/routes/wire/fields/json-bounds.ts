import { LIMITS } from '../../../inference/contract/limits.ts'

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COLON = 0x3a
const COMMA = 0x2c
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d

export interface JsonSize {
  /** How deep arrays and objects nest: 0 for `1`, 1 for `[]`, 2 for `{"a":[]}`. */
  readonly depth: number
  /**
   * Arrays, objects, and keys of objects: each costs about a microsecond to parse, check and hand to another thread.
   */
  readonly members: number
  /** Commas: values beside the first ones. */
  readonly commas: number
}

/** Linear in the text's length, and needs no stack. Of a text that is not JSON, some numbers. */
export function measureJson(text: string): JsonSize {
  let level = 0
  let depth = 0
  let members = 0
  let commas = 0
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case QUOTE:
        at = endOfString(text, at)
        break
      case OPEN_BRACKET:
      case OPEN_BRACE:
        members++
        depth = Math.max(depth, ++level)
        break
      case CLOSE_BRACKET:
      case CLOSE_BRACE:
        level--
        break
      case COLON:
        members++
        break
      case COMMA:
        commas++
        break
    }
  }
  return { depth, members, commas }
}

/**
 * What is wrong with a JSON text that nests too deep or holds too much, for a message, without its full stop; null for
 * one that does not.
 */
export function jsonFault(text: string): string | null {
  const size = measureJson(text)
  if (size.depth > LIMITS.jsonDepth) {
    return `JSON nested too deep. Expected at most ${LIMITS.jsonDepth} levels of arrays and objects, but got ${size.depth} instead`
  }
  if (size.members > LIMITS.jsonMembers) {
    return `JSON too large. Expected at most ${LIMITS.jsonMembers} arrays, objects and keys, but got ${size.members} instead`
  }
  if (size.commas >= LIMITS.jsonValues) {
    return `JSON too large. Expected at most ${LIMITS.jsonValues} values, but got ${size.commas + 1} instead`
  }
  return null
}

/** Too much to parse without making others wait. */
export function holdsTooMuch(text: string): boolean {
  const { members, commas } = measureJson(text)
  return members > LIMITS.jsonMembers || commas >= LIMITS.jsonValues
}

/** @returns where the string that begins at `start` has its closing quote; the text's end if it has none */
function endOfString(text: string, start: number): number {
  for (let quote = text.indexOf('"', start + 1); quote >= 0; quote = text.indexOf('"', quote + 1)) {
    let escapes = 0
    while (text.charCodeAt(quote - 1 - escapes) === BACKSLASH) escapes++
    if (escapes % 2 === 0) return quote
  }
  return text.length
}
