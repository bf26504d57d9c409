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
  /** Nesting depth of arrays and objects: 0 for `1`, 1 for `[]`, 2 for `{"a":[]}`. */
  readonly depth: number
  /** Arrays, objects, and keys of objects: each takes about a microsecond to parse, validate and clone to a thread. */
  readonly members: number
  readonly commas: number
}

/** Linear in the length of the text, without recursion. For a text that is not JSON the numbers are meaningless. */
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

/** The bound that a JSON text exceeds, as an error message without its full stop; null if it is within all bounds. */
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

/** Whether parsing a text would block the event loop for too long. Depth does not matter here. */
export function isTooLarge(text: string): boolean {
  const { members, commas } = measureJson(text)
  return members > LIMITS.jsonMembers || commas >= LIMITS.jsonValues
}

/** Bounds the members of several JSON texts together. */
export class JsonBudget {
  #members = 0

  /** Adds a text. @returns whether the texts so far exceed `LIMITS.jsonMembers` */
  exceeds(text: string): boolean {
    this.#members += measureJson(text).members
    return this.#members > LIMITS.jsonMembers
  }
}

/** @returns undefined if the text is not JSON */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/**
 * @returns the index of the closing quote of the string that begins at `start`, or the end of the text if there is none
 */
function endOfString(text: string, start: number): number {
  for (let quote = text.indexOf('"', start + 1); quote >= 0; quote = text.indexOf('"', quote + 1)) {
    let escapes = 0
    while (text.charCodeAt(quote - 1 - escapes) === BACKSLASH) escapes++
    if (escapes % 2 === 0) return quote
  }
  return text.length
}
