import type { ErrorCode } from '../../inference/contract/errors.ts'
import type { LogEntry, QueuedEvent } from '../../inference/contract/events.ts'
import type { StartEstimate } from '../start-estimate.ts'
import { BullLine, type Line } from './bull-line.ts'
import { Comeback } from './comeback.ts'
import type { ScriptedRedis } from './commands.ts'
import type { RedisKeys } from './keys.ts'
import { LogReader } from './log-reader.ts'
import { ExpiryJudge } from './request-expiry.ts'
import { RequestStore, type Standing } from './request-store.ts'

/** Looks at the line in a row that find a request admitted and nowhere in it, until it is put there again. */
const LOST_AFTER_LOOKS = 4

export interface ShardOptions {
  readonly commands: ScriptedRedis
  readonly blocking: ScriptedRedis
  readonly keys: RedisKeys
  readonly apiId: string
  readonly estimate: StartEstimate
  readonly onError: (error: unknown) => void
}

/** One shard as an API process sees it: its requests, their logs, and the line in which they wait. */
export class Shard {
  readonly store: RequestStore
  readonly line: BullLine
  readonly reader: LogReader
  readonly comeback: Comeback
  readonly #options: ShardOptions
  readonly #expiry = new ExpiryJudge()
  /** How often in a row each was found nowhere. */
  readonly #missed = new Map<string, number>()

  constructor(options: ShardOptions) {
    const { commands, blocking, keys, apiId, onError } = options
    this.#options = options
    this.store = new RequestStore(commands, keys)
    this.comeback = new Comeback(commands)
    this.line = new BullLine(this.store, onError)
    this.reader = new LogReader({ store: this.store, blocking, apiId, onEntries: entries => this.#learn(entries), onError })
  }

  /** Ends a request from our side, waiting or running; without effect when it has ended or is not known. */
  async end(requestId: string, code: ErrorCode, message: string): Promise<void> {
    if (await this.store.end(requestId, { code, message, param: null })) await this.line.remove(requestId)
  }

  /** Ids and standings of all that have not ended. */
  async live(): Promise<{ readonly line: Line; readonly standings: ReadonlyMap<string, Standing> }> {
    const line = await this.line.read()
    const ids = [...new Set([...line.admitted, ...line.waiting, ...line.active])]
    const standings = await this.store.standings(ids)
    return { line, standings: new Map(ids.flatMap((id, index) => (standings[index] ? [[id, standings[index]]] : []))) }
  }

  /** Where a request stands, as readers are told; null when it does not wait. */
  async queued(requestId: string): Promise<QueuedEvent | null> {
    const { line, standings } = await this.live()
    return inOrder(line, standings).indexOf(requestId) < 0 ? null : this.#queuedAt(line, standings, requestId)
  }

  /** Now and then: tells readers where they stand, ends what has run out of time, finds what was lost. */
  async tick(): Promise<void> {
    try {
      const { line, standings } = await this.live()
      this.#tellPositions(line, standings)
      await this.#endOverdue(standings)
      await this.#findLost(line, standings)
    } catch (error) {
      this.#expiry.forgive(Date.now())
      throw error
    }
  }

  async close(): Promise<void> {
    await this.reader.close()
    await this.line.close()
    this.#options.commands.disconnect()
  }

  #tellPositions(line: Line, standings: ReadonlyMap<string, Standing>): void {
    for (const tail of this.reader.tails) tail.standAt(this.#queuedAt(line, standings, tail.requestId))
  }

  #queuedAt(line: Line, standings: ReadonlyMap<string, Standing>, requestId: string): QueuedEvent | null {
    const index = inOrder(line, standings).indexOf(requestId)
    if (index < 0) return null
    const running = [...standings.values()].filter(({ state }) => state === 'running').length
    return { kind: 'queued', position: index + 1, etaMs: this.#options.estimate.etaMs(index + 1, running) }
  }

  async #endOverdue(standings: ReadonlyMap<string, Standing>): Promise<void> {
    const nowMs = Date.now()
    for (const [requestId, { state, leaseUntilMs, deadlineMs }] of standings) {
      const expiry = this.#expiry.judge(String(leaseUntilMs), String(deadlineMs), nowMs)
      if (expiry !== null && (state === 'waiting' || state === 'running')) await this.end(requestId, expiry.code, expiry.message)
    }
  }

  /** Its API process died, or Redis lost the job, between two writes. */
  async #findLost({ admitted, waiting, active }: Line, standings: ReadonlyMap<string, Standing>): Promise<void> {
    const placed = new Set([...waiting, ...active])
    const lost = admitted.filter(id => !placed.has(id))
    for (const id of this.#missed.keys()) if (!lost.includes(id)) this.#missed.delete(id)
    for (const id of lost) {
      const looks = (this.#missed.get(id) ?? 0) + 1
      this.#missed.set(id, looks)
      if (looks < LOST_AFTER_LOOKS) continue
      this.#missed.delete(id)
      const ticket = standings.get(id)?.state === 'waiting' ? await this.store.ticket(id) : null
      if (ticket === null) await this.store.redis.hdel(this.store.keys.waiting, id)
      else await this.line.add({ id, ticket })
    }
  }

  #learn(entries: readonly LogEntry[]): void {
    for (const { event } of entries) {
      if (event.kind === 'finished') this.#options.estimate.took(event.timings.prefillMs + event.timings.decodeMs)
    }
  }
}

/** Those that wait, first come first; a job whose request has ended is no request. */
function inOrder(line: Line, standings: ReadonlyMap<string, Standing>): readonly string[] {
  return line.waiting.filter(id => standings.get(id)?.state === 'waiting')
}
