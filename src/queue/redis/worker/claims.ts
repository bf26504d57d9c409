import type { Job } from 'bullmq'
import { type GenerationRequest, reservedRows } from '../../../inference/contract/request.ts'
import { FAILURES } from '../../failures.ts'
import { verdictOn } from '../../poison-rule.ts'
import type { ScriptedRedis } from '../connection/commands.ts'
import { claim, endRequest, handBack, readLog } from '../requests/claim.ts'
import type { ExpiryJudge } from '../requests/request-expiry.ts'
import type { BullWorker } from './bull-worker.ts'
import { HeldRequest, type HeldRequests } from './held-requests.ts'

export interface ClaimsOptions {
  readonly redis: ScriptedRedis
  readonly workerId: string
  readonly bullWorkers: readonly BullWorker[]
  readonly held: HeldRequests
  readonly expiry: ExpiryJudge
  /** The request runs here now and continues after the entries of its log. */
  readonly onClaimed: (request: GenerationRequest, held: HeldRequest) => void
  /**
   * This worker has claimed a request again that it runs, after it had lost the lock. Returns whether the run may
   * continue.
   */
  readonly onReclaimed: (held: HeldRequest, epoch: number, log: readonly string[]) => boolean
  readonly onError: (error: unknown) => void
}

type Outcome = 'claimed' | 'idle' | 'no room'

/**
 * Claims waiting requests while rows are free, in the order of the queue. A request that does not fit stays at the
 * head, for the first worker that has enough free rows, and no request after it is claimed before it.
 */
export class Claims {
  readonly #options: ClaimsOptions
  #turn = 0
  #isWakePending = false
  #looking: Promise<void> | null = null
  #isStopped = false
  /** The head of a queue that would fit but could not be taken, and since when. */
  #missed: { readonly id: string; readonly sinceMs: number } | null = null
  #lookingSinceMs = 0

  constructor(options: ClaimsOptions) {
    this.#options = options
  }

  /** To be called when there may be new work or free rows. */
  wake(): void {
    this.#isWakePending = true
    if (this.#isStopped) return
    this.#looking ??= this.#look().finally(() => {
      this.#looking = null
      if (this.#isWakePending) this.wake()
    })
  }

  /**
   * Since when (`performance.now`) the same request fits but cannot be taken, or a round of claims does not end; null
   * when neither is the case.
   */
  get stuckSinceMs(): number | null {
    if (this.#looking !== null) return this.#missed === null ? this.#lookingSinceMs : Math.min(this.#missed.sinceMs, this.#lookingSinceMs)
    return this.#missed?.sinceMs ?? null
  }

  /** Claims nothing from now on; resolves when the current round has ended. */
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
      // The next round starts with the shard whose head waits for free rows.
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
    // Stopped meanwhile, or another worker took the request that was checked.
    if (this.#isStopped || (isOther && !(await this.#fits(bullWorker, job.id)))) {
      await bullWorker.giveBack(job.id)
      return 'no room'
    }
    return await this.#start(bullWorker, job, job.id)
  }

  /** Ends a request that has expired. An ended or absent request fits, so that its job is completed. */
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
      await endRequest(redis, bullWorker.keys, requestId, end)
      return true
    }
    return held.hasRoom(Number(weight ?? 0), verdictOn(Number(deaths ?? 0)) !== 'again')
  }

  async #start(bullWorker: BullWorker, job: Job, id: string): Promise<Outcome> {
    const { redis, workerId, held, onClaimed, onReclaimed } = this.#options
    const claimed = await claim(redis, bullWorker.keys, id, workerId)
    if (claimed === null) {
      await bullWorker.complete(job)
      return 'claimed'
    }
    const { epoch, request, deaths } = claimed
    const verdict = verdictOn(deaths)
    if (verdict === 'poisoned') {
      await endRequest(redis, bullWorker.keys, id, FAILURES.poisoned)
      await bullWorker.complete(job)
      return 'claimed'
    }
    const log = await readLog(redis, bullWorker.keys, id)
    const mine = held.get(id)
    if (mine !== undefined && onReclaimed(mine, epoch, log)) return 'claimed'
    const weight = reservedRows(request)
    const isSuspect = verdict === 'alone'
    // `#fits` has not seen a death that this claim has counted.
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
