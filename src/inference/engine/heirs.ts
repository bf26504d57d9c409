import type { RowTable } from '../cache/row-table.ts'
import type { TokenText } from '../contract/token-text.ts'
import type { LastingCache } from './batch-engine-options.ts'
import { PromptRun, type WaitingChoice } from './prompt-run.ts'
import type { Sequence } from './sequence.ts'

/** After a process has begun on another's cache, how long the rows left there wait to be claimed. */
const CLAIM_MS = 5000

/**
 * Sequences that a killed process was working on, and that go on with the rows that it left: nothing of them is computed again. It was our
 * predecessor, and the rows are ours now; or a neighbour, and they are copied.
 */
export class Heirs {
  readonly #rows: RowTable<Sequence>
  readonly #cache: LastingCache | null
  #waiting: WaitingChoice[] = []
  #timer: NodeJS.Timeout | null = null
  #isOver = false

  /** @param cache  null where caches die with their processes */
  constructor(rows: RowTable<Sequence>, cache: LastingCache | null) {
    this.#rows = rows
    this.#cache = cache
  }

  /** Rows may still be claimed. */
  get isOpen(): boolean {
    return this.#timer !== null
  }

  /** See `Engine.inherit`. @param onEnd  told when the time to claim is over: the next `sweep` drops what is left */
  open(descriptor: number, onEnd: () => void): void {
    if (this.#cache?.moveTo(descriptor) !== true) return
    this.#rows.inherit(this.#cache.identity)
    this.#timer = setTimeout(() => {
      this.#isOver = true
      onEnd()
    }, CLAIM_MS).unref()
  }

  /** See `Engine.salvage`. */
  salvage(descriptor: number): void {
    if (this.#cache !== null) this.#rows.salvage(this.#cache.identity, this.#cache.remainsIn(descriptor))
  }

  /** Between runs. */
  sweep(): void {
    if (this.#isOver) this.close()
  }

  /** Nobody else will come: what is left is dropped. Between runs. */
  close(): void {
    if (this.#timer === null) return
    clearTimeout(this.#timer)
    this.#timer = null
    this.#rows.dropLegacies()
  }

  /** @returns the choices that must be computed; the others wait here to be seated */
  claim(choices: readonly WaitingChoice[]): readonly WaitingChoice[] {
    const isHeir = ({ sequence }: WaitingChoice): boolean => this.#inherited(sequence) >= sequence.promptTokenIds.length
    this.#waiting.push(...choices.filter(isHeir))
    return choices.filter(choice => !isHeir(choice))
  }

  /** Those that wait, in the order in which seating them moves the fewest rows. */
  take(): readonly WaitingChoice[] {
    const waiting = this.#waiting.filter(({ job }) => !job.isOver)
    this.#waiting = []
    const rowOf = ({ sequence }: WaitingChoice): number => this.#rows.legacyOf(sequence.mark)?.row ?? 0
    return waiting.toSorted((left, right) => rowOf(left) - rowOf(right))
  }

  /**
   * From now on its sequence decodes. Between runs, while no prompt is prefilled.
   *
   * @returns false when its row was given up or overwritten meanwhile, or there is no room: it must be computed
   */
  seat(choice: WaitingChoice, text: TokenText): boolean {
    const { sequence } = choice
    const computed = this.#inherited(sequence)
    if (computed < sequence.promptTokenIds.length || this.#rows.roomFor(sequence.reservedTokens) < 1) return false
    if (!this.#rows.adopt(sequence, computed)) return false
    sequence.computed = computed
    sequence.startTextAt(new PromptRun([choice], text).promptCodePoints())
    return true
  }

  /** The last token that was told is computed again in any case: the logits behind it are gone. */
  #inherited({ mark, knownTokens }: Sequence): number {
    return Math.min(this.#rows.legacyOf(mark)?.computed ?? 0, knownTokens - 1)
  }
}
