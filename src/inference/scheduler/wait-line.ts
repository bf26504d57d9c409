/** Choices of one prompt that have no row yet; they are prefilled together. */
export interface PromptGroup<Choice> {
  readonly requestId: string
  readonly choices: readonly Choice[]
}

/** Groups that the worker has claimed but not begun, first come first served. */
export class WaitLine<Choice> {
  #groups: PromptGroup<Choice>[] = []

  get length(): number {
    return this.#groups.length
  }

  push(group: PromptGroup<Choice>): void {
    if (group.choices.length > 0) this.#groups.push(group)
  }

  /** Choices of the first group, at most `limit`; those left over stay first in line. */
  take(limit: number): readonly Choice[] {
    const first = this.#groups[0]
    if (first === undefined || limit < 1) return []
    const taken = first.choices.slice(0, limit)
    const left = first.choices.slice(limit)
    this.#groups.splice(0, 1, ...(left.length > 0 ? [{ requestId: first.requestId, choices: left }] : []))
    return taken
  }

  peek(): PromptGroup<Choice> | null {
    return this.#groups[0] ?? null
  }

  remove(requestId: string): void {
    this.#groups = this.#groups.filter(group => group.requestId !== requestId)
  }
}
