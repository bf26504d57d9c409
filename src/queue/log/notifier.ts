/**
 * Wakes one waiter. Whoever looks for news and waits in the same turn of the event loop misses nothing; a ring that
 * nobody waits for is forgotten.
 */
export class Notifier {
  #wake: () => void = () => {}

  readonly notify = (): void => this.#wake()

  /** One waiter at a time. */
  notified(): Promise<void> {
    return new Promise(resolve => {
      this.#wake = resolve
    })
  }
}
