import type { Job } from 'bullmq'
import { choiceCount, type GenerationRequest } from '../../../inference/contract/request.ts'
import { POISONED_MESSAGE } from '../../poison-rule.ts'
import type { ScriptedRedis } from '../connection/commands.ts'
import type { ExpiryJudge } from '../requests/request-expiry.ts'
import { claim, endRequest, handBack, readLog } from '../scripts/worker-scripts.ts'
import type { BullWorker } from './bull-worker.ts'
import { HeldRequest, type HeldRequests } from './held-requests.ts'

/** Counted deaths after which a request runs alone, and those it then has when it died alone. */
const DEATHS_OF_A_SUSPECT = 2
const DEATHS_OF_THE_POISONED = 3

export interface ClaimsOptions {
  readonly redis: ScriptedRedis
  readonly workerId: string
  readonly bullWorkers: readonly BullWorker[]
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
 * Takes waiting requests while rows are free, in the order of the line: what does not fit here is left at its head, for
 * whoever has room first, and nothing behind it is taken before it.
 */
export class Claims {
  readonly #options: ClaimsOptions
  #turn = 0
  #isWakePending = false
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
    this.#isWakePending = true
    if (this.#isStopped) return
    this.#looking ??= this.#look().finally(() => {
      this.#looking = null
      if (this.#isWakePending) this.wake()
    })
  }

  /**
   * Since when (`performance.now`) the same request would fit and cannot be had, or a look does not end; null when all
   * goes well.
   */
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
    while (this.#isWakePending && !this.#isStopped) {
      this.#isWakePending = false
      this.#lookingSinceMs = performance.now()
      try {
        await this.#round()
      } catch (error) {
        this.#options.onError(error)
      }
    }
  }

  async #round(): Promise<void> {
    const { bullWorkers } = this.#options
    let idle = 0
    while (idle < bullWorkers.length && !this.#isStopped) {
      const bullWorker = bullWorkers[this.#turn]
      if (bullWorker === undefined) return
      const outcome = await this.#takeFrom(bullWorker)
      // The next look starts with the shard whose head waits for room.
      if (outcome === 'no room') return
      idle = outcome === 'idle' ? idle + 1 : 0
      this.#turn = (this.#turn + 1) % bullWorkers.length
    }
  }

  async #takeFrom(bullWorker: BullWorker): Promise<Outcome> {
    if (this.#options.held.freeRows <= 0) return 'no room'
    const headId = await bullWorker.head()
    if (headId !== this.#missed?.id) this.#missed = null
    if (headId === null) return 'idle'
    if (!(await this.#fits(bullWorker, headId))) {
      this.#missed = null
      return 'no room'
    }
    this.#missed ??= { id: headId, sinceMs: performance.now() }
    const job = await bullWorker.take()
    if (job?.id === undefined) return 'idle'
    this.#missed = null
    const isOther = job.id !== headId
    // Stopped meanwhile; or another worker took the one that we looked at.
    if (this.#isStopped || (isOther && !(await this.#fits(bullWorker, job.id)))) {
      await bullWorker.giveBack(job.id)
      return 'no room'
    }
    return await this.#start(bullWorker, job, job.id)
  }

  /** What has run out of time is ended on the way; what is gone fits, so that its job is tidied away. */
  async #fits(bullWorker: BullWorker, requestId: string): Promise<boolean> {
    const { redis, held, expiry } = this.#options
    const [weight, deaths, leaseUntil, deadline] = await redis.hmget(
      bullWorker.keys.request(requestId),
      'weight',
      'deaths',
      'leaseUntil',
      'deadline'
    )
    if (held.get(requestId) !== undefined) return true
    const end = expiry.judge(leaseUntil, deadline, Date.now())
    if (end !== null) {
      await endRequest(redis, bullWorker.keys, requestId, end.code, end.message)
      return true
    }
    return held.hasRoom(Number(weight ?? 0), Number(deaths ?? 0) >= DEATHS_OF_A_SUSPECT)
  }

  async #start(bullWorker: BullWorker, job: Job, id: string): Promise<Outcome> {
    const { redis, workerId, held, onClaimed, onReclaimed } = this.#options
    const claimed = await claim(redis, bullWorker.keys, id, workerId)
    if (claimed === null) {
      await bullWorker.complete(job)
      return 'claimed'
    }
    const { epoch, request, deaths } = claimed
    if (deaths >= DEATHS_OF_THE_POISONED) {
      await endRequest(redis, bullWorker.keys, id, 'poisoned', POISONED_MESSAGE)
      await bullWorker.complete(job)
      return 'claimed'
    }
    const log = await readLog(redis, bullWorker.keys, id)
    const mine = held.get(id)
    if (mine !== undefined && onReclaimed(mine, epoch, log)) return 'claimed'
    const weight = choiceCount(request)
    const isSuspect = deaths >= DEATHS_OF_A_SUSPECT
    // Its last death was counted by this very claim.
    if (!held.hasRoom(weight, isSuspect)) {
      await handBack(redis, bullWorker.keys, id, workerId, false)
      await bullWorker.giveBack(id)
      return 'no room'
    }
    const taken = new HeldRequest({ id, bullWorker, job, epoch, rows: held.rowsOf(weight), isSuspect, log })
    held.add(taken)
    onClaimed(request, taken)
    return 'claimed'
  }
}
