import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { LlamaConfig } from '../../../src/inference/families/llama.ts'
import { storeGraph } from '../../../src/inference/model/graph-cache.ts'
import { prepareModel } from '../../../src/inference/model/prepare-model.ts'
import type { PreparedModel, QuantizationChoice } from '../../../src/inference/model/prepared-model.ts'
import { ModelFileError } from '../../../src/inference/weights/model-file-error.ts'
import { referenceLogits } from '../graph/reference-llama.ts'
import { GraphUnderTest } from '../graph/run-graph.ts'
import { TINY_LLAMA, tinyWeights } from '../graph/tiny-llama.ts'
import { type TinyGguf, writeTinyGguf } from './tiny-gguf.ts'

const IDS = [3, 60, 7, 7, 0, 21, 63, 12, 33]

let folder: string
let path: string
let cacheFolder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'prepare-'))
  path = join(folder, 'tiny.gguf')
  cacheFolder = join(folder, 'cache')
})
afterEach(() => rm(folder, { recursive: true }))

function prepare(quantization: QuantizationChoice = 'none'): Promise<PreparedModel> {
  return prepareModel({ path, quantization, cacheFolder })
}

async function logits({ graphPath }: PreparedModel): Promise<number[][]> {
  const graph = await GraphUnderTest.open(graphPath, TINY_LLAMA, 16)
  try {
    return (await graph.run({ ids: [IDS], pasts: [0], wanted: IDS.map((_, i) => i) })).logits
  } finally {
    await graph.close()
  }
}

const LLAMA3: LlamaConfig = { ...TINY_LLAMA, rotary: { ...TINY_LLAMA.rotary, frequencyDivisors: [1, 1, 1.5, 2, 4, 8, 8, 8] } }

it.each([
  { name: 'float32 weights', gguf: {}, quantization: 'none', tolerance: 1e-4 },
  { name: 'Q8_0 weights, as float32', gguf: { type: 'Q8_0' }, quantization: 'none', tolerance: 1e-4 },
  { name: 'Q8_0 weights in 8 bits', gguf: { type: 'Q8_0' }, quantization: 'auto', tolerance: 0.5 },
  { name: 'float32 weights in 8 bits', gguf: {}, quantization: 'int8', tolerance: 0.5 },
  { name: "Llama 3's frequencies", gguf: { config: LLAMA3 }, quantization: 'none', tolerance: 1e-4 }
] satisfies { name: string; gguf: TinyGguf; quantization: QuantizationChoice; tolerance: number }[])(
  'computes what the papers say with $name',
  async ({ gguf, quantization, tolerance }) => {
    await writeTinyGguf(path, gguf)
    const config = 'config' in gguf ? gguf.config : TINY_LLAMA
    const expected = await referenceLogits(config, tinyWeights(config), IDS)
    const actual = await logits(await prepare(quantization))
    expect(Math.max(...expected.flat().map((value, i) => Math.abs(value - (actual.flat()[i] ?? Number.NaN))))).toBeLessThan(tolerance)
  }
)

it('describes the model', async () => {
  await writeTinyGguf(path)
  const model = await prepare()
  expect(model).toEqual({
    graphPath: expect.stringContaining(cacheFolder),
    sourcePath: path,
    modelHash: expect.stringMatching(/^[0-9a-f]{64}$/),
    architecture: 'llama',
    parameters: 65_856,
    vocabularySize: 64,
    contextLength: 256,
    layers: 2,
    kvHeads: 2,
    headDim: 16,
    cacheBytesPerToken: 512,
    quantization: 'none'
  })
  expect(structuredClone(model)).toEqual(model)
  expect(await prepareModel({ path: folder, quantization: 'none', cacheFolder }), 'a folder with one model').toEqual(model)
})

it('builds once: later starts find the graph', async () => {
  await writeTinyGguf(path)
  const first = await prepare()
  const built = await stat(first.graphPath)
  expect(await prepare()).toEqual(first)
  expect((await stat(first.graphPath)).ino).toBe(built.ino)
})

it('names models by content and form, not by path', async () => {
  await writeTinyGguf(path)
  const { modelHash } = await prepare()
  expect((await prepare('int8')).modelHash).not.toBe(modelHash)

  const copy = join(folder, 'copy.gguf')
  await cp(path, copy)
  expect((await prepareModel({ path: copy, quantization: 'none', cacheFolder })).modelHash).toBe(modelHash)

  await writeTinyGguf(path, { metadata: [{ key: 'llama.rope.freq_base', f32: 20_000 }] })
  expect((await prepare()).modelHash).not.toBe(modelHash)
})

it('builds the same graph twice at once without harm', async () => {
  await writeTinyGguf(path)
  const [one, other] = await Promise.all([prepare(), prepare()])
  expect(one).toEqual(other)
  expect(await graphFolders()).toEqual([one.modelHash])
})

it('builds again where a graph was damaged', async () => {
  await writeTinyGguf(path)
  const { graphPath } = await prepare()
  const good = await logits({ graphPath } as PreparedModel)
  await writeFile(join(dirname(graphPath), 'weights.bin'), 'cut off')
  expect(await logits(await prepare())).toEqual(good)
})

it('leaves nothing half when it is killed, and the next start cleans up', async () => {
  await writeTinyGguf(path)
  const script = fileURLToPath(new URL('kill-during-build.ts', import.meta.url))
  const child = spawn(process.execPath, [script, path, cacheFolder], { stdio: 'inherit' })
  const [, signal] = await once(child, 'exit')
  expect(signal).toBe('SIGKILL')
  expect(await graphFolders()).toEqual([expect.stringMatching(/\.tmp$/)])

  const { modelHash } = await prepare()
  expect(await graphFolders()).toEqual([modelHash])
})

it('says in one line that the disk is full, and takes its own files away', async () => {
  await mkdir(cacheFolder)
  const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
  const source = { ...tinyWeights(TINY_LLAMA), float32: () => Promise.reject(full) }
  const plan = {
    model: new Uint8Array(8),
    dataBytes: 1000,
    fills: [{ kind: 'float32', offset: 0, matrices: ['embedding'] } as const],
    factors: new Map()
  }
  const description = { architecture: 'llama', parameters: 1, vocabularySize: 1, contextLength: 1, layers: 1, kvHeads: 1, headDim: 1 }
  const target = join(cacheFolder, 'graph')

  const error = await storeGraph(target, { plan, source, description: { ...description, quantization: 'none' } }, () => {}).catch(
    (reason: unknown) => reason
  )
  expect(error).toBeInstanceOf(ModelFileError)
  expect(String(error)).toBe(`ModelFileError: ${target}: the prepared model (1008 bytes) cannot be written: the disk is full`)
  expect(await graphFolders()).toEqual([])
})

it('reports progress that only grows, from above 0 to 1', async () => {
  await writeTinyGguf(path)
  const fractions: number[] = []
  await prepareModel({ path, quantization: 'none', cacheFolder, onProgress: fraction => fractions.push(fraction) })
  expect(fractions).toEqual(fractions.toSorted((a, b) => a - b))
  expect(fractions.at(-1)).toBe(1)
})

const REFUSED: { name: string; gguf: TinyGguf; message: RegExp }[] = [
  {
    name: 'another architecture',
    gguf: { metadata: [{ key: 'general.architecture', string: 'mamba' }] },
    message: /general\.architecture is "mamba", supported are .*"llama"/
  },
  {
    name: 'one missing bias of three',
    gguf: { extras: ['biases'], without: 'layers.1.key.bias' },
    message: /tensor "blk\.1\.attn_k\.bias" is missing, but "blk\.1\.attn_q\.bias" is there/
  },
  { name: 'a missing matrix', gguf: { without: 'layers.1.up' }, message: /tensor "blk\.1\.ffn_up\.weight" is missing/ },
  {
    name: 'a matrix of another shape',
    gguf: { metadata: [{ key: 'llama.feed_forward_length', u32: 128 }] },
    message: /"blk\.0\.ffn_gate\.weight" is \[96,64\], must be \[128,64\]/
  },
  {
    name: 'a million layers',
    gguf: { metadata: [{ key: 'llama.block_count', u32: 1_000_000 }] },
    message: /block_count is 1000000, must be/
  },
  { name: 'no heads', gguf: { metadata: [{ key: 'llama.attention.head_count', u32: 0 }] }, message: /head_count is 0, must be/ },
  { name: 'an epsilon of 0', gguf: { metadata: [{ key: 'llama.attention.layer_norm_rms_epsilon', f32: 0 }] }, message: /must be positive/ },
  { name: 'experts', gguf: { metadata: [{ key: 'llama.expert_count', u32: 8 }] }, message: /mixtures of experts are not supported/ },
  {
    name: 'YaRN',
    gguf: { metadata: [{ key: 'llama.rope.scaling.type', string: 'yarn' }] },
    message: /rope\.scaling\.type is "yarn", only "none" and "linear"/
  }
]

it.each(REFUSED)('refuses $name by naming it', async ({ gguf, message }) => {
  await writeTinyGguf(path, gguf)
  const error = await prepare().catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(ModelFileError)
  expect(String(error)).toMatch(message)
  expect(await graphFolders()).toEqual([])
})

it('refuses a path without a model', async () => {
  await expect(prepareModel({ path: join(folder, 'none'), quantization: 'auto', cacheFolder })).rejects.toThrow(
    /none: no such file or folder/
  )
  await expect(prepareModel({ path: folder, quantization: 'auto', cacheFolder })).rejects.toThrow(/holds no \.gguf or \.safetensors file/)
})

/** What the cache holds beside notes. */
async function graphFolders(): Promise<string[]> {
  return (await readdir(cacheFolder)).filter(name => name !== 'hashes')
}
