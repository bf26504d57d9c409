import { mkdtemp, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, expect, it } from 'vitest'
import { BLOCK_TYPES, type BlockTypeName } from '../../../load/random-models/block-types.ts'
import { MIXTURE_NAMES, type MixtureName, typeOfPart } from '../../../load/random-models/mixtures.ts'
import { randomModel, randomModelPath, writeModel } from '../../../load/random-models/random-model.ts'
import { type ModelShape, SHAPES } from '../../../load/random-models/shapes.ts'
import { weightsPattern } from '../../../load/random-models/weights-pattern.ts'
import { prepareModel } from '../../../src/inference/model/prepare-model.ts'
import { openModelRunner } from '../../../src/inference/runtime/onnx-model-runner.ts'
import { tokenizerFromGguf } from '../../../src/inference/tokenizer/model-files/gguf-tokenizer.ts'
import { openGguf } from '../../../src/inference/weights/gguf.ts'
import { canDequantize, dequantize } from '../../../src/inference/weights/quantization/dequantize.ts'

const TINY: ModelShape = {
  layers: 8,
  hidden: 256,
  heads: 8,
  kvHeads: 2,
  feedForward: 512,
  vocabulary: 1000,
  rotaryBase: 10_000,
  tied: true
}

const folders: string[] = []
afterAll(() => Promise.all(folders.map(folder => rm(folder, { recursive: true, force: true }))))

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'random-model-'))
  folders.push(folder)
  return folder
}

async function writeTiny(folder: string, type: MixtureName, shape: ModelShape = TINY): Promise<string> {
  const path = join(folder, `${type}.gguf`)
  await using file = await open(path, 'w')
  await writeModel(file, shape, type, 'tiny')
  return path
}

it.each(MIXTURE_NAMES)('writes a GGUF file of type %s whose header fits its data', async type => {
  const folder = await temporaryFolder()
  for (const tied of [true, false]) {
    const path = await writeTiny(folder, type, { ...TINY, tied })
    await using file = await openGguf(path)
    expect(file.tensors.get('token_embd.weight')?.shape).toEqual([1000, 256])
    expect(file.tensors.get('blk.7.ffn_down.weight')?.shape).toEqual([256, 512])
    expect(file.tensors.has('output.weight')).toBe(!tied)
    const ends = [...file.tensors.values()].map(({ offset, bytes }) => offset + bytes)
    expect(Math.ceil(Math.max(...ends) / 32) * 32).toBe((await stat(path)).size)
  }
})

it('names the types by the numbers and sizes that the reader knows', async () => {
  await using file = await openGguf(await writeTiny(await temporaryFolder(), 'Q4_K_M'))
  for (const [name, part] of [
    ['blk.0.attn_v.weight', 'Q6_K'],
    ['blk.3.attn_v.weight', 'Q6_K'],
    ['blk.4.attn_v.weight', 'Q4_K'],
    ['blk.0.attn_q.weight', 'Q4_K'],
    ['token_embd.weight', 'Q6_K'],
    ['blk.0.attn_norm.weight', 'F32']
  ]) {
    expect(file.tensors.get(name ?? '')?.type.name).toBe(part)
  }
})

it('mixes types as llama.cpp does', () => {
  const layersOf = (name: MixtureName, type: BlockTypeName, shape: ModelShape): number[] =>
    Array.from({ length: shape.layers }, (_, layer) => layer).filter(
      layer => typeOfPart(name, 'ffn_down', layer, shape, shape.feedForward) === type
    )
  const { '1b': one, '8b': eight, '135m': small } = SHAPES
  expect(layersOf('Q4_K_M', 'Q6_K', one)).toEqual([0, 1, 4, 7, 10, 13, 14, 15])
  expect(layersOf('Q5_K_M', 'Q6_K', eight)).toHaveLength(16)
  expect(layersOf('Q4_K_S', 'Q5_K', one)).toEqual([0, 1])
  expect(layersOf('Q4_0', 'Q4_0', eight)).toHaveLength(32)
  expect([typeOfPart('Q4_0', 'token_embd', 0, eight, 4096), typeOfPart('Q4_0', 'output', 0, eight, 4096)]).toEqual(['Q4_0', 'Q6_K'])
  // Rows of 576 elements have no whole blocks of 256.
  expect(typeOfPart('Q4_K_M', 'attn_q', 0, small, 576)).toBe('Q5_0')
  expect(typeOfPart('Q4_1', 'token_embd', 0, small, 576)).toBe('Q8_0')
  expect(typeOfPart('F16', 'token_embd', 0, small, 576)).toBe('F16')
})

const TYPES = (Object.keys(BLOCK_TYPES) as BlockTypeName[]).filter(canDequantize)

it.each(TYPES)('gives weights of type %s a mean of 0 and a standard deviation of 1/√columns', type => {
  for (const columns of [576, 14_336]) {
    const pattern = weightsPattern(type, columns, 1).subarray(0, 8192 * BLOCK_TYPES[type].bytes)
    const weights = dequantize(type, pattern).map(weight => weight * Math.sqrt(columns))
    const mean = weights.reduce((sum, weight) => sum + weight, 0) / weights.length
    const deviation = Math.sqrt(weights.reduce((sum, weight) => sum + weight * weight, 0) / weights.length)
    expect(Math.abs(mean)).toBeLessThan(0.01)
    expect(Math.abs(deviation - 1)).toBeLessThan(0.03)
  }
})

it('has no two equal rows in one matrix', async () => {
  await using file = await openGguf(await writeTiny(await temporaryFolder(), 'Q4_0', { ...TINY, tied: false }))
  const tensor = file.tensors.get('token_embd.weight')
  if (tensor === undefined) throw new Error('there is no embedding')
  const bytes = Buffer.from(await file.read(tensor, 0, tensor.bytes))
  const rows = Array.from({ length: 1000 }, (_, row) => bytes.subarray(row * 144, (row + 1) * 144).toString('latin1'))
  expect(new Set(rows).size).toBe(1000)
})

it('writes the same bytes each time', async () => {
  const [first, second] = await Promise.all([0, 1].map(async () => readFile(await writeTiny(await temporaryFolder(), 'Q5_K_M'))))
  expect(first?.equals(second ?? Buffer.alloc(0))).toBe(true)
})

it('has a tokenizer that gives any text back, with more than two letters per token of English', async () => {
  await using file = await openGguf(await writeTiny(await temporaryFolder(), 'Q4_0', { ...TINY, vocabulary: 20_000 }))
  const tokenizer = tokenizerFromGguf(file.metadata)
  const textOf = (ids: readonly number[]): string => Buffer.concat(ids.map(id => tokenizer.bytes(id))).toString('utf8')
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), text => {
      fc.pre(text.isWellFormed())
      expect(textOf(tokenizer.encode(text))).toBe(text)
    })
  )
  const english = 'the weather in the mountains changes within minutes and nobody believes the forecast'
  expect(english.length / tokenizer.encode(english).length).toBeGreaterThan(2)
})

it('computes logits of ordinary size, in float32 and in 8 bits', { timeout: 60_000 }, async () => {
  const folder = await temporaryFolder()
  const path = await writeTiny(folder, 'Q4_K_M')
  for (const quantization of ['none', 'auto'] as const) {
    const prepared = await prepareModel({ path, quantization, cacheFolder: join(folder, 'graphs') })
    const runner = await openModelRunner({ ...prepared, contextLength: 64, slots: 1, blocks: 0, threads: 1, spinning: false })
    try {
      const logits = await runner.prefill(0, 0, [5, 6, 7, 8, 9], [4])
      const deviation = Math.sqrt(logits.reduce((sum, logit) => sum + logit * logit, 0) / logits.length)
      expect(deviation).toBeGreaterThan(0.3)
      expect(deviation).toBeLessThan(3)
    } finally {
      runner.close()
    }
  }
})

it('writes a model once, and removes what a killed process left', async () => {
  const folder = await temporaryFolder()
  const model = { shape: '135m', type: 'Q4_0' } as const
  const path = randomModelPath(model, folder)
  const [dead, alive] = [`${path}.${2 ** 22 + 1}`, `${path}.${process.ppid}`]
  await writeFile(dead, 'half')
  await writeFile(alive, 'half')
  expect(await randomModel(model, folder)).toBe(path)
  const { mtimeMs, size } = await stat(path)
  expect(size).toBeGreaterThan(85e6)
  expect((await readdir(folder)).map(name => join(folder, name)).toSorted()).toEqual([path, alive].toSorted())
  expect(await randomModel(model, folder)).toBe(path)
  expect((await stat(path)).mtimeMs).toBe(mtimeMs)
})
