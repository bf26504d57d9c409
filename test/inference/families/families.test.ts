import { readdirSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { prepareModel } from '../../../src/inference/model/prepare-model.ts'
import { openModelRunner } from '../../../src/inference/runtime/onnx-model-runner.ts'
import { largestDifference, referenceCases, runCases } from '../model/reference-run.ts'

const FIXTURES = new URL('../../fixtures/families/', import.meta.url)
const FAMILIES = readdirSync(FIXTURES, { withFileTypes: true })
  .filter(entry => entry.isDirectory())
  .map(({ name }) => name)

let cacheFolder: string
beforeAll(async () => {
  cacheFolder = await mkdtemp(join(tmpdir(), 'families-'))
})
afterAll(() => rm(cacheFolder, { recursive: true }))

function folderOf(family: string): string {
  return fileURLToPath(new URL(family, FIXTURES))
}

it.each(FAMILIES)('computes the same logits as transformers: %s', async family => {
  const folder = folderOf(family)
  const model = await prepareModel({ path: folder, quantization: 'none', cacheFolder })
  const cases = await referenceCases(folder)
  const runs = await runCases(model, cases)
  for (const [i, { last_logits, prompt_logprobs, greedy, greedy_margin }] of cases.entries()) {
    const run = runs[i]
    expect(largestDifference(run?.lastLogits ?? [], last_logits)).toBeLessThan(1e-4)
    expect(largestDifference(run?.promptLogprobs ?? [], prompt_logprobs)).toBeLessThan(1e-4)
    const decided = greedy_margin.map(margin => margin > 1e-3)
    expect(run?.greedy.filter((_, k) => decided[k])).toEqual(greedy.filter((_, k) => decided[k]))
  }
})

it.each(FAMILIES)('computes similar logits in 8 bits: %s', async family => {
  const folder = folderOf(family)
  const model = await prepareModel({ path: folder, quantization: 'int8', cacheFolder })
  const cases = await referenceCases(folder)
  const runs = await runCases(model, cases)
  const chosen = runs.flatMap((run, i) => run.greedy.map((token, k) => token === cases[i]?.greedy[k]))
  expect(chosen.filter(Boolean).length / chosen.length).toBeGreaterThan(0.85)
})

/** Longer than the window of any fixture. */
const PROMPT = [5, 250, 3, 3, 77, 140, 9, 31, 64, 8, 201, 17]

it.each(FAMILIES.flatMap(family => (['none', 'int8'] as const).map(quantization => [family, quantization] as const)))(
  'returns the same logits for all divisions of a prompt and all batch sizes: %s, %s',
  async (family, quantization) => {
    const model = await prepareModel({ path: folderOf(family), quantization, cacheFolder })
    const runner = await openModelRunner({ ...model, slots: 4, blocks: 0, threads: 1, spinning: false })
    const last = PROMPT.length - 1
    const whole = (await runner.prefill(0, 0, PROMPT, [last])).slice()
    for (let cut = 2; cut <= PROMPT.length - 2; cut++) {
      await runner.prefill(1, 0, PROMPT.slice(0, cut), [])
      expect(await runner.prefill(1, cut, PROMPT.slice(cut), [last - cut])).toEqual(whole)
    }
    const pair = (await runner.decode([7, 7], [last + 1, last + 1])).slice()
    const size = model.vocabularySize
    expect(pair.subarray(size)).toEqual(pair.subarray(0, size))
    for (const [row, past] of [2, 5].entries()) await runner.prefill(row + 2, 0, PROMPT.slice(0, past), [])
    const batch = (await runner.decode([7, 7, 8, 9], [last + 1, last + 1, 2, 5])).slice(0, size)
    runner.close()
    expect(batch).toEqual(pair.subarray(0, size))
  }
)
