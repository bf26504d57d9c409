import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { isTerminal, type LoggedEvent } from '../../../src/inference/contract/events.ts'
import type { GenerationRequest } from '../../../src/inference/contract/request.ts'
import type { TokenText } from '../../../src/inference/contract/token-text.ts'
import { BatchEngine } from '../../../src/inference/engine/batch-engine.ts'
import { type Determinism, probeDeterminism } from '../../../src/inference/engine/determinism-probe.ts'
import { prepareModel } from '../../../src/inference/model/prepare-model.ts'
import type { PreparedModel } from '../../../src/inference/model/prepared-model.ts'
import { openModelRunner } from '../../../src/inference/runtime/onnx-model-runner.ts'
import { byChoice, GREEDY, request } from './engine-harness.ts'

const SLOTS = 5

let cacheFolder: string
beforeAll(async () => {
  cacheFolder = await mkdtemp(join(tmpdir(), 'continuation-'))
})
afterAll(() => rm(cacheFolder, { recursive: true }))

/** Every token is a byte, so that characters and stop strings come in parts. */
const byteText: TokenText = {
  endTokenIds: [2],
  isSpecial: () => false,
  bytes: tokenId => Uint8Array.of(tokenId % 256),
  decoder: () => {
    const decoder = new TextDecoder()
    return { push: tokenId => decoder.decode(byteText.bytes(tokenId), { stream: true }), flush: () => decoder.decode() }
  }
}

const anyRequest = fc
  .record({
    prompt: fc.array(fc.integer({ min: 3, max: 250 }), { minLength: 1, maxLength: 30 }),
    choicesPerPrompt: fc.constantFrom(1, 1, 2, 4),
    maxNewTokens: fc.constantFrom(1, 12, 30),
    temperature: fc.constantFrom(0, 1),
    seed: fc.nat(),
    frequencyPenalty: fc.constantFrom(0, 1),
    echo: fc.boolean(),
    promptLogprobs: fc.constantFrom(null, 1)
  })
  .map(({ prompt, temperature, seed, frequencyPenalty, ...rest }) =>
    request('', prompt, { ...rest, topLogprobs: 3, stopStrings: ['\u{e9}a'], sampling: { ...GREEDY, temperature, seed, frequencyPenalty } })
  )

/** Everything that requests say in an engine of their own, side by side. */
async function run(
  model: PreparedModel,
  { loneRowDiffers, cutsDiffer }: Determinism,
  chunkTokens: number,
  submissions: readonly { readonly request: GenerationRequest; readonly history: readonly LoggedEvent[] }[]
): Promise<LoggedEvent[][]> {
  const runner = await openModelRunner({ ...model, slots: SLOTS, parkedRows: 2, threads: 1, spinning: false })
  const said = new Map(submissions.map(({ request }) => [request.id, [] as LoggedEvent[]]))
  const { promise: ended, resolve, reject } = Promise.withResolvers<void>()
  let running = submissions.length
  const engine = new BatchEngine({
    runner,
    text: byteText,
    description: { ...model, slots: SLOTS, cacheBudgetBytes: 100 * model.contextLength * model.cacheBytesPerToken },
    chunkTokens,
    minDecodeRows: loneRowDiffers ? 2 : 1,
    reusePrefixes: !cutsDiffer,
    recovery: 'exact',
    now: () => 0,
    listener: {
      events: events => {
        for (const { requestId, event } of events) {
          said.get(requestId)?.push(event)
          if (isTerminal(event) && --running === 0) resolve()
        }
      },
      running: () => {},
      advanced: () => {}
    },
    onCrash: reject
  })
  for (const { request, history } of submissions) engine.submit(request, history)
  await ended
  await engine.close()
  return [...said.values()]
}

async function determinismOf(model: PreparedModel): Promise<Determinism> {
  const runner = await openModelRunner({ ...model, slots: 2, parkedRows: 0, threads: 1, spinning: false })
  try {
    return await probeDeterminism(runner)
  } finally {
    runner.close()
  }
}

it.each([
  ['llama', 'none'],
  ['llama', 'int8'],
  ['gpt2', 'none'],
  ['gpt2', 'int8']
] as const)(
  'goes on behind any cut with the same bits, scores and all, in any company: %s, quantization %s',
  async (family, quantization) => {
    const folder = fileURLToPath(new URL(`../../fixtures/families/${family}`, import.meta.url))
    const model = await prepareModel({ path: folder, quantization, cacheFolder })
    const determinism = await determinismOf(model)
    const plan = fc.tuple(anyRequest, fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }))
    await fc.assert(
      fc.asyncProperty(fc.array(plan, { minLength: 1, maxLength: 5 }), fc.integer({ min: 3, max: 40 }), async (plans, chunkTokens) => {
        const requests = plans.map(([one], index) => ({ ...one, id: `r${index}` }))
        const logs = await run(
          model,
          determinism,
          16,
          requests.map(one => ({ request: one, history: [] }))
        )
        const cuts = logs.map((log, index) => Math.floor((plans[index]?.[1] ?? 0) * log.length))
        const rests = await run(
          model,
          determinism,
          chunkTokens,
          requests.map((one, index) => ({ request: one, history: logs[index]?.slice(0, cuts[index]) ?? [] }))
        )
        for (const [index, log] of logs.entries()) expect(byChoice(rests[index] ?? [])).toEqual(byChoice(log.slice(cuts[index])))
      }),
      { numRuns: 12 }
    )
  },
  60_000
)
