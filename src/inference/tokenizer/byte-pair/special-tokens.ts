/** Finds tokens that stand whole in a text, such as `<|im_start|>`: the leftmost first, there the longest. */
export class SpecialTokens {
  readonly #ids: ReadonlyMap<string, number>
  readonly #pattern: RegExp | null

  constructor(ids: ReadonlyMap<string, number>) {
    this.#ids = ids
    const longestFirst = [...ids.keys()].filter(token => token !== '').sort((a, b) => b.length - a.length)
    this.#pattern = longestFirst.length === 0 ? null : new RegExp(longestFirst.map(escaped).join('|'), 'gu')
  }

  /** Ids of the tokens, and the texts between them. */
  *split(text: string): Generator<number | string> {
    let start = 0
    for (const match of this.#pattern === null ? [] : text.matchAll(this.#pattern)) {
      const tokenId = this.#ids.get(match[0])
      if (tokenId === undefined) continue
      if (match.index > start) yield text.slice(start, match.index)
      yield tokenId
      start = match.index + match[0].length
    }
    if (start < text.length) yield text.slice(start)
  }
}

function escaped(token: string): string {
  return token.replaceAll(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
}
