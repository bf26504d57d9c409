import type { Endpoint } from '../requests/endpoint.ts'
import { type StreamedText, streamedCompletion } from '../requests/streamed-completion.ts'
import { bodyAt, type WorkloadOptions } from '../requests/workload.ts'

const EXAMPLES = 3

/** Responses of the server without concurrent requests, with which responses under load are compared. */
export class SoloTexts {
  readonly #solo: readonly StreamedText[]
  readonly examples: string[] = []
  compared = 0
  different = 0

  constructor(solo: readonly StreamedText[]) {
    this.#solo = solo
  }

  /** Sends the first `cases` requests of the workload sequentially. */
  static async gather(endpoint: Endpoint, cases: number, timeoutMs: number, options: WorkloadOptions): Promise<SoloTexts> {
    const solo: StreamedText[] = []
    for (let index = 0; index < cases; index++) {
      solo.push(await streamedCompletion(endpoint, bodyAt(index, options), timeoutMs, () => {}))
    }
    return new SoloTexts(solo)
  }

  compare(index: number, outcome: StreamedText): void {
    const alone = this.#solo[index]
    if (alone === undefined) throw new RangeError(`request ${index} was never sent alone`)
    this.compared += 1
    if (outcome.text === alone.text && outcome.finishReason === alone.finishReason) return

    this.different += 1
    if (this.examples.length < EXAMPLES) this.examples.push(describe(index, alone, outcome))
  }
}

function describe(index: number, alone: StreamedText, outcome: StreamedText): string {
  let at = 0
  while (at < alone.text.length && alone.text[at] === outcome.text[at]) at += 1
  const around = (text: string): string => JSON.stringify(text.slice(Math.max(0, at - 20), at + 20))
  return (
    `request ${index} (${index % 2 === 0 ? 'greedy' : 'sampled'}) differs at character ${at}: ` +
    `alone ${around(alone.text)} (${alone.finishReason}), under load ${around(outcome.text)} (${outcome.finishReason})`
  )
}
