import { invariant } from '../contract/invariant.ts'
import { StopStringMatcher } from './stop-string-matcher.ts'

export interface ReleasedText {
  /** Text that no stop string can claim any more. */
  readonly text: string
  /** The stop string that ended the text; part of it only if that was asked for. */
  readonly stoppedBy: string | null
}

/**
 * Holds back what may be the beginning of a stop string. The one that completes first wins, the longer of two that
 * complete together: "the one that starts first" would give different answers for different cuts of the same text.
 */
export class StopStrings {
  readonly #matchers: readonly StopStringMatcher[]
  readonly #isIncluded: boolean
  #held = ''
  #isStopped = false

  /** @param stops empty ones, and ones with half of a surrogate pair, which text never contains, match nothing */
  constructor(stops: readonly string[], { isIncluded = false }: { readonly isIncluded?: boolean } = {}) {
    this.#isIncluded = isIncluded
    this.#matchers = stops.filter(stop => stop.length > 0 && stop.isWellFormed()).map(stop => new StopStringMatcher(stop))
  }

  /**
   * Reads more text, cut anywhere. What it releases never ends within a surrogate pair.
   *
   * @param mayStop  false: a stop string that completes here is passed by; one that begins here and completes later is
   *   not
   */
  push(text: string, mayStop = true): ReleasedText {
    invariant(!this.#isStopped, 'text was pushed behind a stop string')
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

  /** The text has ended: gives back what was held. */
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
