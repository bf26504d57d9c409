/** Choices of one prompt without a row; one prefill serves as many of them as fit. */
export interface PromptGroup<Choice> {
  readonly requestId: string
  readonly choices: readonly Choice[]
  /** Positions that each choice reserves. */
  readonly reservedTokens: number
}

/** Groups that were submitted and not yet admitted, first come, first served. */
export class WaitQueue<Choice> {
  #groups: PromptGroup<Choice>[] = []

  get length(): number {
    return this.#groups.length
  }

  get groups(): readonly PromptGroup<Choice>[] {
    return this.#groups
  }

  push(group: PromptGroup<Choice>): void {
    if (group.choices.length > 0) this.#groups.push(group)
  }

  /** Removes the first `count` choices of the first group; the rest of the group stays first. */
  take(count: number): readonly Choice[] {
    const first = this.#groups[0]
    if (first === undefined) return []
    const rest = first.choices.slice(count)
    this.#groups.splice(0, 1, ...(rest.length > 0 ? [{ ...first, choices: rest }] : []))
    return first.choices.slice(0, count)
  }

  remove(requestId: string): void {
    this.#groups = this.#groups.filter(group => group.requestId !== requestId)
  }
}
