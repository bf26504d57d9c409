import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { LlamaConfig } from '../../../src/inference/families/llama.ts'
import { cachedGraph, storeGraph } from '../../../src/inference/model/graph-cache.ts'
import { checkPrepared, type PrepareProgress, prepareModel } from '../../../src/inference/model/prepare-model.ts'
import type { PreparedModel, QuantizationChoice } from '../../../src/inference/model/prepared-model.ts'
import { ModelFileError } from '../../../src/inference/weights/model-file-error.ts'
import { owned } from '../../processes/owned-process.ts'
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
    return (await graph.run({ ids: [IDS], pasts: [0], expected: IDS.map((_, i) => i) })).logits
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
  'computes the same logits as the reference with $name',
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
    distance: null,
    cacheScales: null,
    cacheDistance: null,
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

it('builds once; later starts reuse the graph', async () => {
  await writeTinyGguf(path)
  const first = await prepare()
  const built = await stat(first.graphPath)
  expect(await prepare()).toEqual(first)
  expect((await stat(first.graphPath)).ino).toBe(built.ino)
})

it('derives the model hash from content and quantization, not from the path', async () => {
  await writeTinyGguf(path)
  const { modelHash } = await prepare()
  expect((await prepare('int8')).modelHash).not.toBe(modelHash)

  const copy = join(folder, 'copy.gguf')
  await cp(path, copy)
  expect((await prepareModel({ path: copy, quantization: 'none', cacheFolder })).modelHash).toBe(modelHash)

  await writeTinyGguf(path, { metadata: [{ key: 'llama.rope.freq_base', f32: 20_000 }] })
  expect((await prepare()).modelHash).not.toBe(modelHash)
})

it('can build the same graph twice at the same time', async () => {
  await writeTinyGguf(path)
  const [one, other] = await Promise.all([prepare(), prepare()])
  expect(one).toEqual(other)
  expect(await graphFolders()).toEqual([one.modelHash])
})

describe('a prepared graph that is damaged', () => {
  const FILES = ['model.onnx', 'weights.bin', 'manifest.json'] as const

  /** Damages the bytes of a file; null: the file is removed. */
  const damage = fc.oneof(
    fc.constant(() => null),
    fc.nat().map(at => (bytes: Buffer) => bytes.subarray(0, at % bytes.length)),
    fc.constant((bytes: Buffer) => Buffer.concat([bytes, Buffer.of(0)])),
    fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })).map(([at, bits]) => (bytes: Buffer) => {
      const copy = Buffer.from(bytes)
      copy.writeUInt8(copy.readUInt8(at % copy.length) ^ bits, at % copy.length)
      return copy
    }),
    fc.tuple(fc.nat(), fc.integer({ min: 1, max: 8192 })).map(([at, length]) => (bytes: Buffer) => {
      const from = at % bytes.length
      return Buffer.from(bytes).fill(0, from, Math.min(bytes.length, from + length))
    })
  )

  it('is detected by its checksums for any damage, also if the file size is right', async () => {
    await writeTinyGguf(path)
    const graphFolder = dirname((await prepare()).graphPath)
    const good = await Promise.all(FILES.map(name => readFile(join(graphFolder, name))))
    await fc.assert(
      fc.asyncProperty(fc.nat(FILES.length - 1), damage, async (index, spoil) => {
        const name = FILES[index] ?? 'model.onnx'
        const bytes = good[index] ?? Buffer.alloc(0)
        const spoilt = spoil(bytes)
        fc.pre(spoilt === null || !spoilt.equals(bytes))
        if (spoilt === null) await rm(join(graphFolder, name))
        else await writeFile(join(graphFolder, name), spoilt)
        expect(await cachedGraph(graphFolder)).toEqual({ state: 'damaged', fault: expect.stringMatching(new RegExp(`^${name} `)) })
        await writeFile(join(graphFolder, name), bytes)
        expect(await cachedGraph(graphFolder)).toMatchObject({ state: 'whole' })
      })
    )
  })

  it('is detected where the manifest is valid and says something else', async () => {
    await writeTinyGguf(path)
    const file = join(dirname((await prepare()).graphPath), 'manifest.json')
    const good = await readFile(file, 'utf8')
    const digits = [...good.matchAll(/\d(?=[^"]*(?:"|$))/g)].map(({ index }) => index)
    expect(digits.length).toBeGreaterThan(20)
    for (const at of digits) {
      const changed = good.slice(0, at) + String((Number(good[at]) % 9) + 1) + good.slice(at + 1)
      await writeFile(file, changed)
      expect([changed, (await cachedGraph(dirname(file))).state]).toEqual([changed, 'damaged'])
    }
  })

  it.each(FILES)('is built again and reported to the operator (%s)', async name => {
    await writeTinyGguf(path)
    const damaged = join(dirname((await prepare()).graphPath), name)
    const good = await readFile(damaged)
    await writeFile(damaged, Buffer.alloc(good.length))
    const reports: string[] = []
    await prepareModel({ path, quantization: 'none', cacheFolder, onDamage: message => reports.push(message) })
    expect(reports).toEqual([expect.stringMatching(new RegExp(`${dirname(damaged)} is damaged and is built again: ${name} `))])
    expect(await readFile(damaged)).toEqual(good)
    expect(await graphFolders()).toHaveLength(1)
  })

  it('can be built again by several starts at the same time', async () => {
    await writeTinyGguf(path)
    const { graphPath, modelHash } = await prepare()
    const good = await readFile(graphPath)
    for (let round = 0; round < 20; round++) {
      await writeFile(graphPath, Buffer.alloc(good.length))
      await Promise.all([prepare(), prepare(), prepare(), prepare(), prepare(), prepare()])
      expect(await readFile(graphPath)).toEqual(good)
    }
    expect(await graphFolders()).toEqual([modelHash])
  })

  it('is distinguished from an intact graph by the check of all prepared graphs', async () => {
    await writeTinyGguf(path)
    const [plain, coarse] = [await prepare(), await prepare('int8')]
    await truncate(coarse.graphPath, 10)
    const checks = new Map((await checkPrepared(cacheFolder)).map(({ folder: each, graph }) => [each, graph]))
    expect(checks.get(dirname(plain.graphPath))).toMatchObject({ state: 'whole', manifest: { quantization: 'none' } })
    expect(checks.get(dirname(coarse.graphPath))).toEqual({ state: 'damaged', fault: 'model.onnx has another size' })
  })
})

describe('a cache folder that cannot be written to', () => {
  /** No file mode prevents root from writing; a path in a pseudo file system does. */
  const UNWRITABLE = '/sys/everstream'

  it.runIf(process.platform === 'linux')('is named in the message, with a remedy', async () => {
    await writeTinyGguf(path)
    const error = await prepareModel({ path, quantization: 'none', cacheFolder: UNWRITABLE }).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(ModelFileError)
    expect(String(error)).toMatch(
      /^ModelFileError: \/sys\/everstream cannot be written to \(E\w+\), and prepared models are kept there: let this user write to it, or choose another models folder$/
    )
  })
})

it.each([
  { name: 'in the calling thread', vocabulary: TINY_LLAMA.vocabulary },
  { name: 'in threads', vocabulary: 80_000 }
])('leaves no incomplete graph when it is killed while it builds $name, and the next start cleans up', async ({ vocabulary }) => {
  await writeTinyGguf(path, { config: { ...TINY_LLAMA, vocabulary } })
  const script = fileURLToPath(new URL('kill-during-build.ts', import.meta.url))
  const child = owned(spawn(process.execPath, [script, path, cacheFolder], { stdio: 'inherit' }))
  const [, signal] = await once(child, 'exit')
  expect(signal).toBe('SIGKILL')
  expect(await graphFolders()).toEqual([expect.stringMatching(/\.tmp$/)])

  const { modelHash } = await prepare()
  expect(await graphFolders()).toEqual([modelHash])
})

it('reports a full disk in one line and removes its temporary files', async () => {
  await mkdir(cacheFolder)
  const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
  const plan = { model: new Uint8Array(8), dataBytes: 1000, fills: [], factors: new Map(), reported: [] }
  const shape = { architecture: 'llama', parameters: 1, vocabularySize: 1, contextLength: 1, layers: 1, kvHeads: 1, headDim: 1 }
  const int8CacheModel = new Uint8Array(4)
  const target = join(cacheFolder, 'graph')

  const writeData = () => Promise.reject(full)
  const error = await storeGraph(target, { plan, int8CacheModel, writeData, shape: { ...shape, quantization: 'none' } }).catch(
    (reason: unknown) => reason
  )
  expect(error).toBeInstanceOf(ModelFileError)
  expect(String(error)).toBe(`ModelFileError: ${target}: the prepared model (1012 bytes) cannot be written: the disk is full`)
  expect(await graphFolders()).toEqual([])
})

it('does not begin to write what the disk has no room for', async () => {
  await mkdir(cacheFolder)
  const plan = { model: new Uint8Array(8), dataBytes: Number.MAX_SAFE_INTEGER - 2 ** 30, fills: [], factors: new Map(), reported: [] }
  const shape = { architecture: 'llama', parameters: 1, vocabularySize: 1, contextLength: 1, layers: 1, kvHeads: 1, headDim: 1 }
  const target = join(cacheFolder, 'graph')
  const writeData = () => Promise.reject(new Error('it began to write'))
  const build = { plan, int8CacheModel: new Uint8Array(4), writeData, shape: { ...shape, quantization: 'none' as const } }
  await expect(storeGraph(target, build)).rejects.toThrow(/preparing the model needs \d+ bytes, but the disk has \d+ free$/)
  expect(await graphFolders()).toEqual([])
})

it('reports the progress of hashing and of building, each up to all bytes of the file, and none at a later start', async () => {
  await writeTinyGguf(path)
  const { size } = await stat(path)
  const reports: PrepareProgress[] = []
  const onProgress = (report: PrepareProgress) => reports.push(report)
  await prepareModel({ path, quantization: 'none', cacheFolder, onProgress })
  for (const step of ['hash', 'build'] as const) {
    const done = reports.filter(report => report.step === step).map(({ doneBytes }) => doneBytes)
    expect(done).toEqual(done.toSorted((a, b) => a - b))
    expect(done.at(-1)).toBe(size)
  }
  expect(reports.map(({ totalBytes }) => totalBytes)).toEqual(reports.map(() => size))

  reports.length = 0
  await prepareModel({ path, quantization: 'none', cacheFolder, onProgress })
  expect(reports).toEqual([])
})

/** Content of the cache folder except the recorded hashes. */
async function graphFolders(): Promise<string[]> {
  return (await readdir(cacheFolder)).filter(name => name !== 'hashes')
}
