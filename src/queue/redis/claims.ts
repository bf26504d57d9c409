import type { Job } from 'bullmq'
import { choiceCount, type GenerationRequest } from '../../inference/contract/request.ts'
import { POISONED_MESSAGE } from '../poison-rule.ts'
import type { BullSeat } from './bull-seat.ts'
import type { ScriptedRedis } from './commands.ts'
import { HeldRequest, type HeldRequests } from './held-requests.ts'
import type { ExpiryJudge } from './request-expiry.ts'
import { claim, endRequest, handBack, readLog } from './worker-scripts.ts'

/** Counted deaths after which a request runs alone, and those it then has when it died alone. */
const DEATHS_OF_A_SUSPECT = 2
const DEATHS_OF_THE_POISONED = 3

export interface ClaimsOptions {
  readonly redis: ScriptedRedis
  readonly workerId: string
  readonly seats: readonly BullSeat[]
  readonly held: HeldRequests
  readonly expiry: ExpiryJudge
  /** It runs here now, behind what its log holds. */
  readonly onClaimed: (request: GenerationRequest, held: HeldRequest) => void
  /** One of those that run here was claimed again by ourselves, its lock having been lost. */
  readonly onReclaimed: (held: HeldRequest, epoch: number, log: readonly string[]) => boolean
  readonly onError: (error: unknown) => void
}

type Outcome = 'claimed' | 'idle' | 'no room'

/**
 * Takes waiting requests while rows are free, in the order of the line: what does not fit here is left at its head, for whoever has room first,
 * and nothing behind it is taken before it.
 */
export class Claims {
  readonly #options: ClaimsOptions
  #turn = 0
  #wanted = false
  #looking: Promise<void> | null = null
  #isStopped = false
  /** What would fit here and was not had, and since when. */
  #missed: { readonly id: string; readonly sinceMs: number } | null = null
  #lookingSinceMs = 0

  constructor(options: ClaimsOptions) {
    this.#options = options
  }

  /** There may be work, or room. */
  wake(): void {
    this.#wanted = true
    if (this.#isStopped) return
    this.#looking ??= this.#look().finally(() => {
      this.#looking = null
      if (this.#wanted) this.wake()
    })
  }

  /** Since when (`performance.now`) the same request would fit and cannot be had, or a look does not end; null when all goes well. */
  get stuckSinceMs(): number | null {
    if (this.#looking !== null) return this.#missed === null ? this.#lookingSinceMs : Math.min(this.#missed.sinceMs, this.#lookingSinceMs)
    return this.#missed?.sinceMs ?? null
  }

  /** Takes nothing from now on; resolves when what was being taken has been. */
  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#looking
  }

  async #look(): Promise<void> {
    while (this.#wanted && !this.#isStopped) {
      this.#wanted = false
      this.#lookingSinceMs = performance.now()
      try {
        await this.#round()
      } catch (error) {
        this.#options.onError(error)
      }
    }
  }

  async #round(): Promise<void> {
    const { seats } = this.#options
    let idle = 0
    while (idle < seats.length && !this.#isStopped) {
      const seat = seats[this.#turn]
      if (seat === undefined) return
      const outcome = await this.#takeFrom(seat)
      // The next look starts with the shard whose head waits for room.
      if (outcome === 'no room') return
      idle = outcome === 'idle' ? idle + 1 : 0
      this.#turn = (this.#turn + 1) % seats.length
    }
  }

  async #takeFrom(seat: BullSeat): Promise<Outcome> {
    if (this.#options.held.freeRows <= 0) return 'no room'
    const headId = await seat.head()
    if (headId !== this.#missed?.id) this.#missed = null
    if (headId === null) return 'idle'
    if (!(await this.#fits(seat, headId))) {
      this.#missed = null
      return 'no room'
    }
    this.#missed ??= { id: headId, sinceMs: performance.now() }
    const job = await seat.take()
    if (job?.id === undefined) return 'idle'
    this.#missed = null
    const isOther = job.id !== headId
    // Stopped meanwhile; or another worker took the one that we looked at.
    if (this.#isStopped || (isOther && !(await this.#fits(seat, job.id)))) {
      await seat.giveBack(job.id)
      return 'no room'
    }
    return await this.#start(seat, job, job.id)
  }

  /** What has run out of time is ended on the way; what is gone fits, so that its job is tidied away. */
  async #fits(seat: BullSeat, requestId: string): Promise<boolean> {
    const { redis, held, expiry } = this.#options
    const [weight, deaths, leaseUntil, deadline] = await redis.hmget(
      seat.keys.request(requestId),
      'weight',
      'deaths',
      'leaseUntil',
      'deadline'
    )
    if (held.get(requestId) !== undefined) return true
    const end = expiry.judge(leaseUntil, deadline, Date.now())
    if (end !== null) {
      await endRequest(redis, seat.keys, requestId, end.code, end.message)
      return true
    }
    return held.hasRoom(Number(weight ?? 0), Number(deaths ?? 0) >= DEATHS_OF_A_SUSPECT)
  }

  async #start(seat: BullSeat, job: Job, id: string): Promise<Outcome> {
    const { redis, workerId, held, onClaimed, onReclaimed } = this.#options
    const claimed = await claim(redis, seat.keys, id, workerId)
    if (claimed === null) {
      await seat.complete(job)
      return 'claimed'
    }
    const { epoch, request, deaths } = claimed
    if (deaths >= DEATHS_OF_THE_POISONED) {
      await endRequest(redis, seat.keys, id, 'poisoned', POISONED_MESSAGE)
      await seat.complete(job)
      return 'claimed'
    }
    const log = await readLog(redis, seat.keys, id)
    const mine = held.get(id)
    if (mine !== undefined && onReclaimed(mine, epoch, log)) return 'claimed'
    const weight = choiceCount(request)
    const isSuspect = deaths >= DEATHS_OF_A_SUSPECT
    // Its last death was counted by this very claim.
    if (!held.hasRoom(weight, isSuspect)) {
      await handBack(redis, seat.keys, id, workerId, false)
      await seat.giveBack(id)
      return 'no room'
    }
    const taken = new HeldRequest({ id, seat, job, epoch, rows: held.rowsOf(weight), isSuspect, log })
    held.add(taken)
    onClaimed(request, taken)
    return 'claimed'
  }
}
