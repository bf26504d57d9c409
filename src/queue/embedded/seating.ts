import type { GenerationRequest } from '../../inference/contract/request.ts'
import type { Seat } from './seat.ts'

/** Who sits where: finds a seat for each request, and an empty one for each suspect. */
export class Seating {
  readonly #seats = new Set<Seat>()
  /** Gets nothing more until it is empty, and then a suspect. */
  #kept: Seat | null = null

  get running(): number {
    return [...this.#seats].reduce((sum, seat) => sum + seat.running, 0)
  }

  add(seat: Seat): void {
    this.#seats.add(seat)
  }

  delete(seat: Seat): void {
    this.#seats.delete(seat)
    if (this.#kept === seat) this.#kept = null
  }

  /** Of those that can take it the one of its place, else the one with the most free rows. */
  seatFor(request: GenerationRequest, place: number | null): Seat | null {
    const able = [...this.#seats].filter(seat => seat !== this.#kept && seat.canTake(request))
    const successor = able.find(seat => place !== null && seat.place === place)
    if (successor !== undefined) return successor
    return able.reduce<Seat | null>((best, seat) => (best === null || seat.freeRows > best.freeRows ? seat : best), null)
  }

  /**
   * A seat with nothing on it. Where there is none, one is kept from all others until it is empty; never more than one at a time
   * serves suspects, so that where there are two workers the rest goes on.
   */
  emptySeat(): Seat | null {
    const seats = [...this.#seats].filter(seat => !seat.isRetired)
    if (seats.some(seat => seat.runsSuspect)) return null
    if (this.#kept?.isRetired) this.#kept = null
    const emptiest = seats.reduce<Seat | null>((best, seat) => (best === null || seat.running < best.running ? seat : best), null)
    if (emptiest?.running === 0) return emptiest
    this.#kept ??= emptiest
    return null
  }

  /** No suspect waits for an empty seat (any more). */
  keepNone(): void {
    this.#kept = null
  }
}
