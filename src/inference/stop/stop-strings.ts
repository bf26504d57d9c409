import { invariant } from '../contract/invariant.ts'
import { StopStringMatcher } from './stop-string-matcher.ts'

export interface ReleasedText {
  /** Text that can no longer become part of a stop string. */
  readonly text: string
  /** The stop string that ended the text; `text` contains it only with `isIncluded`. */
  readonly stoppedBy: string | null
}

/**
 * Buffers text that may be the beginning of a stop string. The stop string that completes first wins, of two that
 * complete together the longer one. "The one that starts first" would depend on how the text is cut into pieces.
 */
export class StopStrings {
  readonly #matchers: readonly StopStringMatcher[]
  readonly #isIncluded: boolean
  #held = ''
  #isStopped = false

  /** @param stops  those that are empty, or contain an unpaired surrogate, never match */
  constructor(stops: readonly string[], { isIncluded = false }: { readonly isIncluded?: boolean } = {}) {
    this.#isIncluded = isIncluded
    this.#matchers = stops.filter(stop => stop.length > 0 && stop.isWellFormed()).map(stop => new StopStringMatcher(stop))
  }

  /**
   * Reads the next piece of text, cut anywhere. Released text never ends within a surrogate pair.
   *
   * @param mayStop  false: a stop string that completes in this piece is ignored; one that begins in it and completes
   *   later is not
   */
  push(text: string, mayStop = true): ReleasedText {
    invariant(!this.#isStopped, 'text was pushed after a stop string')
    const unreleased = this.#held + text
    for (let index = this.#held.length; index < unreleased.length; index++) {
      const stoppedBy = this.#read(unreleased.charCodeAt(index))
      if (stoppedBy === null || !mayStop) continue
      this.#isStopped = true
      this.#held = ''
      return { text: unreleased.slice(0, index + 1 - (this.#isIncluded ? 0 : stoppedBy.length)), stoppedBy }
    }
    const end = unreleased.length - this.#heldUnits(unreleased)
    this.#held = unreleased.slice(end)
    return { text: unreleased.slice(0, end), stoppedBy: null }
  }

  /** At the end of the text: returns the buffered part. */
  flush(): string {
    const held = this.#held
    this.#held = ''
    return held
  }

  #read(unit: number): string | null {
    let longest: string | null = null
    for (const matcher of this.#matchers) {
      if (matcher.read(unit) && matcher.pattern.length > (longest?.length ?? 0)) longest = matcher.pattern
    }
    return longest
  }

  #heldUnits(text: string): number {
    let units = 0
    for (const matcher of this.#matchers) units = Math.max(units, matcher.matched)
    return units === 0 && isHighSurrogate(text.charCodeAt(text.length - 1)) ? 1 : units
  }
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff
}
