import { PLAIN_DELIVERY } from '../../src/inference/contract/delivery-policy.ts'
import { type GenerationRequest, PLAIN_REQUEST } from '../../src/inference/contract/request.ts'
import { PLAIN_SAMPLING } from '../../src/inference/contract/sampling.ts'
import { readServeConfig } from '../../src/server/config/serve-config.ts'
import { loadServedModel } from '../../src/server/served-model.ts'
import { createEngine } from '../../src/server/workers/worker-engine.ts'
import type { BareWork } from './bench-bare-process.ts'

/**
 * A process with the server's engine only: replies to each message with the milliseconds that its requests took
 * together.
 */
const SILENT = { line: () => {}, problem: () => {}, progress: () => ({ update: () => {}, end: () => {} }) }
const served = await loadServedModel(readServeConfig([], {}), SILENT)
const text = await served.text
let ended: (requestId: string) => void = () => {}
const engine = await createEngine(served.engine, {
  emit: signal => {
    if (signal.kind !== 'events') return
    for (const { requestId, event } of signal.events) {
      if (event.kind === 'failed') throw new Error(event.failure.message)
      if (event.kind === 'finished') ended(requestId)
    }
  },
  onCrash: error => {
    throw error
  }
})

process.on('disconnect', () => void engine.close().then(() => process.exit(0)))
process.on('message', (work: BareWork) => void measure(work))
process.send?.('ready')

let requests = 0

async function measure({ prompts, tokens }: BareWork): Promise<void> {
  const ids = await Promise.all(prompts.map(prompt => text.encode(prompt)))
  const { promise, resolve } = Promise.withResolvers<void>()
  let left = ids.length
  ended = () => {
    if (--left === 0) resolve()
  }
  const startedAtMs = performance.now()
  for (const tokenIds of ids) engine.submit(requestOf(tokenIds, tokens))
  await promise
  process.send?.(performance.now() - startedAtMs)
}

function requestOf(tokenIds: readonly number[], maxNewTokens: number): GenerationRequest {
  return {
    ...PLAIN_REQUEST,
    id: `cmpl-${++requests}`,
    prompts: [{ tokenIds }],
    maxNewTokens,
    sampling: PLAIN_SAMPLING,
    ignoreEos: true,
    admittedAtMs: Date.now(),
    delivery: PLAIN_DELIVERY
  }
}
