/**
 * Wakes one waiter. A caller that checks its condition and calls `notified` in the same turn of the event loop misses
 * no notification. A notification without a waiter is dropped.
 */
export class Notifier {
  #wake: () => void = () => {}

  readonly notify = (): void => this.#wake()

  /** Resolves at the next notification. One waiter at a time. */
  notified(): Promise<void> {
    return new Promise(resolve => {
      this.#wake = resolve
    })
  }
}
