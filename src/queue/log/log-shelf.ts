import { ServiceError } from '../../inference/contract/errors.ts'
import type { LoggedEvent } from '../../inference/contract/events.ts'
import { invariant } from '../../inference/contract/invariant.ts'
import { TokenLog } from './token-log.ts'

export interface LogShelfOptions {
  /** How long a log can be read after its end. */
  readonly retentionMs: number
  /** Tokens and alternatives in ended logs, all together; beyond it the oldest go before their time. 1,000 take about 0.2 MB. */
  readonly retainedTokens: number
}

/** The logs of all requests: live ones as long as they live, ended ones for a while. */
export class LogShelf {
  readonly #options: LogShelfOptions
  readonly #logs = new Map<string, TokenLog>()
  /** Ended logs and their size, oldest first. */
  readonly #ended = new Map<string, number>()
  #endedTokens = 0

  constructor(options: LogShelfOptions) {
    this.#options = options
  }

  open(requestId: string): TokenLog {
    invariant(!this.#logs.has(requestId), `request ${requestId} was submitted twice`)
    const log = new TokenLog()
    this.#logs.set(requestId, log)
    return log
  }

  /** @throws {ServiceError} `not_found` */
  find(requestId: string): TokenLog {
    const log = this.#logs.get(requestId)
    if (log === undefined) throw new ServiceError('not_found', `there is no request ${requestId}, or it ended too long ago`)
    return log
  }

  append(requestId: string, event: LoggedEvent): void {
    const log = this.#logs.get(requestId)
    invariant(log !== undefined, `a ${event.kind} event came for a request that is not on the shelf`)
    log.append(event)
    if (log.hasEnded) this.#retain(requestId, log.tokens)
  }

  #retain(requestId: string, tokens: number): void {
    this.#ended.set(requestId, tokens)
    this.#endedTokens += tokens
    setTimeout(() => this.#drop(requestId), this.#options.retentionMs).unref()
    for (const oldest of this.#ended.keys()) {
      if (this.#endedTokens <= this.#options.retainedTokens) break
      this.#drop(oldest)
    }
  }

  /** Readers that hold the log read it to its end all the same. */
  #drop(requestId: string): void {
    this.#endedTokens -= this.#ended.get(requestId) ?? 0
    this.#ended.delete(requestId)
    this.#logs.delete(requestId)
  }
}
