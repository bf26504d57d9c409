import { expect, it } from 'vitest'
import { tokenizerFromGguf } from '../../src/inference/tokenizer/model-files/gguf-tokenizer.ts'
import { openGguf } from '../../src/inference/weights/gguf.ts'
import { prepareDefaultModel, readReference } from './real-model.ts'

it("gives the ids that transformers gives for the default model's own vocabulary, and the text back", { timeout: 120_000 }, async () => {
  const { sourcePath } = await prepareDefaultModel('auto')
  await using file = await openGguf(sourcePath)
  const tokenizer = tokenizerFromGguf(file.metadata)
  for (const { prompt, promptTokenIds } of await readReference()) {
    expect(tokenizer.encode(prompt)).toEqual(promptTokenIds)
    const decoder = tokenizer.decoder({ skipSpecial: false })
    expect(promptTokenIds.map(tokenId => decoder.push(tokenId)).join('') + decoder.flush()).toBe(prompt)
  }
})
