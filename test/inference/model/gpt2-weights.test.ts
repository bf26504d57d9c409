import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { parseConfigJson, readConfigJson } from '../../../src/inference/families/definition/config-json.ts'
import { GPT2, type Gpt2Config } from '../../../src/inference/families/gpt2.ts'
import type { WeightSource } from '../../../src/inference/graph/weight-source.ts'
import { familyMatrices } from '../../../src/inference/model/family-matrices.ts'
import { tensorWeights } from '../../../src/inference/model/tensor-weights.ts'
import { openSafetensors } from '../../../src/inference/weights/safetensors.ts'
import type { TensorFile, TensorInfo } from '../../../src/inference/weights/tensor-file.ts'

const FOLDER = fileURLToPath(new URL('../../fixtures/families/gpt2', import.meta.url))
const FLOATS = { name: 'F32', blockElements: 1, blockBytes: 4 }

let file: TensorFile
let config: Gpt2Config
beforeAll(async () => {
  file = await openSafetensors(join(FOLDER, 'model.safetensors'))
  const path = join(FOLDER, 'config.json')
  config = parseConfigJson(path, await readConfigJson(path), GPT2.configJson)
})
afterAll(() => file[Symbol.asyncDispose]())

function read(change: (tensors: Map<string, TensorInfo>) => void, head = config.head): WeightSource {
  const tensors = new Map(file.tensors)
  change(tensors)
  const { path, fileBytes } = file
  const [fileOf, read] = [file.fileOf.bind(file), file.read.bind(file)]
  const changed = { path, fileBytes, tensors, fileOf, read, [Symbol.asyncDispose]: async () => {} }
  return tensorWeights(familyMatrices(GPT2, { ...config, head }, changed, 'hub'))
}

function add(name: string, shape: readonly number[]) {
  return (tensors: Map<string, TensorInfo>) => void tensors.set(name, { name, shape, type: FLOATS, offset: 0, bytes: 4 })
}

it('reads the same rows in pieces of any size', async () => {
  const weights = read(() => {})
  const whole = await weights.float32('layers.1.qkv', 0, 96)
  for (const step of [1, 7, 32, 95]) {
    const pieces: number[] = []
    for (let first = 0; first < 96; first += step)
      pieces.push(...(await weights.float32('layers.1.qkv', first, Math.min(step, 96 - first))))
    expect(Float32Array.from(pieces), `${step} rows at once`).toEqual(whole)
  }
})

it('ignores the masks of old checkpoints and a copy of the tied head', () => {
  expect(read(add('transformer.h.0.attn.bias', [1, 1, 64, 64])).info('head')).toBeNull()
  expect(read(add('transformer.h.1.attn.masked_bias', [])).info('head')).toBeNull()
  expect(read(add('lm_head.weight', [256, 32])).info('head')).toBeNull()
})

it('uses a separate head if there is one, and requires it where the configuration does', () => {
  expect(read(add('lm_head.weight', [256, 32]), 'required').info('head')).toMatchObject({ rows: 256, columns: 32 })
  expect(() => read(() => {}, 'required')).toThrow(/"lm_head\.weight" is missing/)
})

it('rejects weights that are missing, of another shape or unused', () => {
  expect(() => read(tensors => tensors.delete('transformer.h.1.mlp.c_fc.bias'))).toThrow(/"transformer\.h\.1\.mlp\.c_fc\.bias" is missing/)
  expect(() => read(add('transformer.h.1.mlp.c_fc.weight', [128, 32]))).toThrow(/c_fc\.weight" is \[128,32\], must be \[32,128\]/)
  expect(() => read(add('transformer.h.0.crossattention.c_attn.weight', [32, 64]))).toThrow(
    /belongs to a kind of GPT-2 that is not supported/
  )
})
