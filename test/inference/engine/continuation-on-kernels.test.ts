import { closeSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { LoggedEvent } from '../../../src/inference/contract/events.ts'
import { invariant } from '../../../src/inference/contract/invariant.ts'
import { createCacheFile } from '../../../src/inference/runtime/memory/cache-file.ts'
import { byChoice, GREEDY, request } from './engine-harness.ts'
import { prepareFamily, runOnKernels } from './kernel-run.ts'

let cacheFolder: string
beforeAll(async () => {
  cacheFolder = await mkdtemp(join(tmpdir(), 'continuation-'))
})
afterAll(() => rm(cacheFolder, { recursive: true }))

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

it.each([
  ['llama', 'none', 'f32'],
  ['llama', 'int8', 'f32'],
  ['llama', 'int8', 'int8'],
  ['gpt2', 'none', 'f32'],
  ['gpt2', 'int8', 'f32'],
  ['gpt2', 'none', 'int8']
] as const)(
  'continues after any cut with the same bits, scores included, among any other requests: %s, quantization %s, cache %s',
  async (family, quantization, cacheType) => {
    const { model, determinism } = await prepareFamily(family, quantization, cacheType, cacheFolder)
    const plan = fc.tuple(anyRequest, fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }))
    await fc.assert(
      fc.asyncProperty(fc.array(plan, { minLength: 1, maxLength: 5 }), fc.integer({ min: 3, max: 16 }), async (plans, chunkTokens) => {
        const requests = plans.map(([one], index) => ({ ...one, id: `r${index}` }))
        const logs = await runOnKernels(
          model,
          determinism,
          16,
          requests.map(one => ({ request: one, history: [] }))
        )
        const cuts = logs.map((log, index) => Math.floor((plans[index]?.[1] ?? 0) * log.length))
        const rests = await runOnKernels(
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

it.runIf(process.platform === 'linux').each([
  ['llama', 'none', 'f32'],
  ['llama', 'none', 'int8'],
  ['gpt2', 'int8', 'f32'],
  ['gpt2', 'int8', 'int8']
] as const)(
  'continues in the caches of engines that were killed one after the other, or with copies of them, with the same bits: %s, quantization %s, cache %s',
  async (family, quantization, cacheType) => {
    const { model, determinism } = await prepareFamily(family, quantization, cacheType, cacheFolder)
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyRequest, { minLength: 1, maxLength: 5 }),
        fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 3 }),
        fc.boolean(),
        async (plans, kills, isCopied) => {
          const requests = plans.map((one, index) => ({ ...one, id: `r${index}` }))
          const undisturbed = await runOnKernels(
            model,
            determinism,
            16,
            requests.map(one => ({ request: one, history: [] }))
          )
          const [cacheFile, otherFile] = [createCacheFile(), createCacheFile()]
          invariant(cacheFile !== null && otherFile !== null, 'Linux has cache files')
          const logs = requests.map((): LoggedEvent[] => [])
          for (const [round, events] of [...kills, Number.POSITIVE_INFINITY].entries()) {
            const open = requests.filter((_, index) => logs[index]?.at(-1)?.kind !== 'finished')
            if (open.length === 0) break
            const submissions = open.map(one => ({ request: one, history: [...(logs[requests.indexOf(one)] ?? [])] }))
            const files = round % 2 === 0 ? [cacheFile, otherFile] : [otherFile, cacheFile]
            const [own = cacheFile, neighbourFile = otherFile] = isCopied ? files : [cacheFile, otherFile]
            const emitted = await runOnKernels(model, determinism, 16, submissions, { cacheFile: own, neighbourFile, events })
            for (const [index, one] of open.entries()) logs[requests.indexOf(one)]?.push(...(emitted[index] ?? []))
          }
          closeSync(cacheFile)
          closeSync(otherFile)
          for (const [index, log] of undisturbed.entries()) expect(byChoice(logs[index] ?? [])).toEqual(byChoice(log))
        }
      ),
      { numRuns: 12 }
    )
  },
  60_000
)
