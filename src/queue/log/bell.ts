/** Wakes one waiter; rings while nobody waits are kept as one. So whoever looks first and waits then misses nothing. */
export class Bell {
  #isRung = false
  #wake: (() => void) | null = null

  readonly ring = (): void => {
    this.#isRung = true
    this.#wake?.()
  }

  /** Resolves at once if it rang since the last wait. One waiter at a time. */
  async rung(): Promise<void> {
    if (!this.#isRung) {
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
      this.#wake = null
    }
    this.#isRung = false
  }
}
