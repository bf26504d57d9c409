import type { RowTable } from '../cache/row-table.ts'
import { invariant } from '../contract/invariant.ts'
import type { TokenText } from '../contract/token-text.ts'
import { isResumable, type ResumedSequence } from '../scheduler/plan-step.ts'
import type { PersistentCache } from './batch-engine-options.ts'
import { PromptRun, type WaitingChoice } from './request/prompt-run.ts'
import type { Sequence } from './request/sequence.ts'

/** Time for which the rows in the cache file of an earlier process are kept for their requests. */
const CLAIM_MS = 5000

/**
 * Choices that continue in the row that a killed process left, without recomputation. If that process was the
 * predecessor, the row is in this engine's memory; if it was another worker, the row is copied.
 */
export class ResumedSequences {
  readonly #rows: RowTable<Sequence>
  readonly #cache: PersistentCache | null
  #choices: WaitingChoice[] = []
  #claimTimer: NodeJS.Timeout | null = null
  #hasExpired = false

  /** @param cache  null where caches end with their processes */
  constructor(rows: RowTable<Sequence>, cache: PersistentCache | null) {
    this.#rows = rows
    this.#cache = cache
  }

  /** Whether rows of the predecessor are kept for their requests. */
  get isClaimable(): boolean {
    return this.#claimTimer !== null
  }

  /**
   * See `Engine.useCacheFile`.
   * @param onExpire  called when the time is over: the next `dropExpired` drops the rows
   */
  useCacheFile(descriptor: number, onExpire: () => void): void {
    if (this.#cache?.moveTo(descriptor) !== true) return
    this.#rows.recoverRows(this.#cache.identity)
    this.#claimTimer = setTimeout(() => {
      this.#hasExpired = true
      onExpire()
    }, CLAIM_MS).unref()
  }

  /** See `Engine.attachOrphanedCache`. */
  attachOrphanedCache(descriptor: number): void {
    if (this.#cache !== null) this.#rows.attachOrphanedCache(this.#cache.identity, this.#cache.orphanedCacheIn(descriptor))
  }

  /** Between runs. */
  dropExpired(): void {
    if (this.#hasExpired) this.dropUnclaimed()
  }

  /** Drops rows of the predecessor that no request has claimed. Between runs; idempotent. */
  dropUnclaimed(): void {
    if (this.#claimTimer === null) return
    clearTimeout(this.#claimTimer)
    this.#claimTimer = null
    this.#rows.dropOrphans()
  }

  /** Keeps the choices that can continue in a row. @returns the others, which must be computed */
  claim(choices: readonly WaitingChoice[]): readonly WaitingChoice[] {
    const isClaimed = (choice: WaitingChoice): boolean => isResumable(this.#stateOf(choice))
    this.#choices.push(...choices.filter(isClaimed))
    return choices.filter(choice => !isClaimed(choice))
  }

  /** Input of `planStep`, in the order of `claim`. */
  state(): readonly ResumedSequence[] {
    return this.#choices.map(choice => this.#stateOf(choice))
  }

  /** @param index  into `state()` */
  take(index: number): WaitingChoice {
    const [choice] = this.#choices.splice(index, 1)
    invariant(choice !== undefined, `there is no resumed sequence ${index}`)
    return choice
  }

  remove(requestId: string): void {
    this.#choices = this.#choices.filter(({ job }) => job.request.id !== requestId)
  }

  /**
   * Binds the choice to a decoding row with `positions` positions of its orphaned row.
   *
   * @returns false, with nothing changed, where the orphaned row no longer exists
   */
  attach(choice: WaitingChoice, positions: number, text: TokenText): boolean {
    const { sequence } = choice
    if (!this.#rows.attachOrphan(sequence, positions)) return false
    this.#rows.promote(sequence)
    sequence.computed = positions
    sequence.startTextAt(new PromptRun([choice], text).promptCodePoints())
    return true
  }

  #stateOf({ sequence }: WaitingChoice): ResumedSequence {
    const { promptTokenIds, knownTokens, reservedTokens, key } = sequence
    return { promptTokens: promptTokenIds.length, knownTokens, reservedTokens, orphan: this.#rows.orphanOf(key) }
  }
}
