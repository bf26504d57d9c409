import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { byChoice, GREEDY, request } from './engine-harness.ts'
import { prepareFamily, runOnKernels } from './kernel-run.ts'

let cacheFolder: string
beforeAll(async () => {
  cacheFolder = await mkdtemp(join(tmpdir(), 'prefixes-'))
})
afterAll(() => rm(cacheFolder, { recursive: true }))

/**
 * Chunks of 17 tokens (heads of 8 numbers) and 33 tokens (heads of 16) are another numeric class: docs/decisions.md.
 */
const MOST_CHUNK_TOKENS = 16

const anyRequest = fc
  .record({
    shared: fc.constantFrom(0, 32, 33, 40),
    own: fc.array(fc.integer({ min: 3, max: 250 }), { minLength: 1, maxLength: 12 }),
    choicesPerPrompt: fc.constantFrom(1, 1, 7),
    temperature: fc.constantFrom(0, 1),
    cacheSalt: fc.constantFrom('', '', 'a')
  })
  .map(({ shared, own, temperature, ...rest }) =>
    request('', [...Array.from({ length: shared }, (_, index) => 3 + ((index * 7) % 240)), ...own], {
      ...rest,
      topLogprobs: 3,
      maxNewTokens: 12,
      ignoreEos: true,
      sampling: { ...GREEDY, temperature }
    })
  )

it.each([
  ['llama', 'none', 'f32'],
  ['llama', 'int8', 'f32'],
  ['llama', 'int8', 'int8'],
  ['gpt2', 'none', 'f32'],
  ['gpt2', 'int8', 'f32'],
  ['gpt2', 'int8', 'int8']
] as const)(
  'emits the same bits, scores included, after a stored prefix as after a computed one: %s, quantization %s, cache %s',
  async (family, quantization, cacheType) => {
    const { model, determinism } = await prepareFamily(family, quantization, cacheType, cacheFolder)
    let cached = 0
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyRequest, { minLength: 2, maxLength: 6 }),
        fc.integer({ min: 3, max: MOST_CHUNK_TOKENS }),
        async (plans, chunkTokens) => {
          const submissions = plans.map((one, index) => ({ request: { ...one, id: `r${index}` }, history: [] }))
          const together = await runOnKernels(model, determinism, chunkTokens, submissions)
          for (const [index, submission] of submissions.entries()) {
            const [alone] = await runOnKernels(model, { ...determinism, cutsDiffer: true }, MOST_CHUNK_TOKENS, [submission])
            expect(byChoice(together[index] ?? [])).toEqual(byChoice(alone ?? []))
            const end = together[index]?.at(-1)
            if (end?.kind === 'finished') cached += end.usage.cachedTokens
          }
        }
      ),
      { numRuns: 8 }
    )
    expect(cached > 0).toBe(!determinism.cutsDiffer)
  },
  60_000
)
