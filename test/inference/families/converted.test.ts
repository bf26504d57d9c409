import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { prepareModel } from '../../../src/inference/model/prepare-model.ts'
import { largestDifference, referenceCases, runCases } from '../model/reference-run.ts'
import { CONVERSIONS } from './conversions.ts'
import { convert } from './convert.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'converted-'))
})
afterAll(() => rm(folder, { recursive: true }))

it.each(Object.entries(CONVERSIONS))(
  'answers from GGUF as from the checkpoint that it was converted from: %s',
  async (name, conversion) => {
    const checkpoint = fileURLToPath(new URL(`../../fixtures/families/${name}`, import.meta.url))
    const path = join(folder, `${name}.gguf`)
    await convert(checkpoint, path, conversion)
    const model = await prepareModel({ path, quantization: 'none', cacheFolder: join(folder, 'cache') })
    const cases = await referenceCases(checkpoint)
    const runs = await runCases(model, cases)
    for (const [i, { last_logits, prompt_logprobs }] of cases.entries()) {
      expect(largestDifference(runs[i]?.lastLogits ?? [], last_logits)).toBeLessThan(1e-4)
      expect(largestDifference(runs[i]?.promptLogprobs ?? [], prompt_logprobs)).toBeLessThan(1e-4)
    }
  }
)
