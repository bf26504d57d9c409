import type { GenerationRequest } from '../../inference/contract/request.ts'

/** Who waits, first come first served. A request that is too wide for the free rows holds up those behind it, so that it is never starved. */
export class WaitingLine {
  readonly #requests: GenerationRequest[] = []
  #promptTokens = 0

  get length(): number {
    return this.#requests.length
  }

  /** Over all prompts that wait: what the line costs in memory. */
  get promptTokens(): number {
    return this.#promptTokens
  }

  get head(): GenerationRequest | undefined {
    return this.#requests[0]
  }

  get requestIds(): readonly string[] {
    return this.#requests.map(request => request.id)
  }

  push(request: GenerationRequest): void {
    this.#requests.push(request)
    this.#promptTokens += promptTokensOf(request)
  }

  /** @returns whether it was in the line */
  remove(requestId: string): boolean {
    const index = this.#requests.findIndex(request => request.id === requestId)
    const [removed] = index < 0 ? [] : this.#requests.splice(index, 1)
    if (removed === undefined) return false
    this.#promptTokens -= promptTokensOf(removed)
    return true
  }

  /** 1 is next; null when it is not in the line. */
  position(requestId: string): number | null {
    const index = this.#requests.findIndex(request => request.id === requestId)
    return index < 0 ? null : index + 1
  }
}

export function promptTokensOf(request: GenerationRequest): number {
  return request.prompts.reduce((sum, prompt) => sum + prompt.tokenIds.length, 0)
}
