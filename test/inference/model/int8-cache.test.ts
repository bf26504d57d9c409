import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { crc32 } from 'node:zlib'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type PrepareProgress, prepareModel } from '../../../src/inference/model/prepare-model.ts'
import type { PreparedModel } from '../../../src/inference/model/prepared-model.ts'
import { writeTinyGguf } from './tiny-gguf.ts'

let folder: string
let path: string
let cacheFolder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'int8-cache-'))
  path = join(folder, 'tiny.gguf')
  cacheFolder = join(folder, 'cache')
  await writeTinyGguf(path)
})
afterEach(() => rm(folder, { recursive: true }))

function prepare(cacheType: 'f32' | 'int8', onProgress: (progress: PrepareProgress) => void = () => {}): Promise<PreparedModel> {
  return prepareModel({ path, quantization: 'none', cacheType, cacheFolder, onProgress })
}

async function measuredFile(): Promise<string> {
  const [name = '', ...others] = await readdir(join(cacheFolder, 'recipes'))
  expect(others).toEqual([])
  return join(cacheFolder, 'recipes', name)
}

it('has one scale for the keys and one for the values of each layer, a quarter of the memory, and weights in common', async () => {
  const [float, int8] = [await prepare('f32'), await prepare('int8')]
  expect(int8.cacheScales).toHaveLength(2 * int8.layers)
  expect(int8.cacheScales?.every(scale => scale > 0)).toBe(true)
  expect(int8.cacheBytesPerToken).toBe(float.cacheBytesPerToken / 4)
  expect(basename(join(int8.graphPath, '..'))).toBe(float.modelHash)
  expect(float).toMatchObject({ cacheScales: null, cacheDistance: null })
})

it('predicts nearly as a float32 cache, and says how nearly', async () => {
  const { cacheDistance } = await prepare('int8')
  expect(cacheDistance?.meanKl).toBeGreaterThan(0)
  expect(cacheDistance?.meanKl).toBeLessThan(0.05)
  expect(cacheDistance?.sameToken).toBeGreaterThan(0.8)
})

it('measures once, and gives the same scales when the file of the measurement is lost or damaged', async () => {
  const steps: string[] = []
  const first = await prepare('int8', ({ step }) => steps.push(step))
  expect(steps.filter(step => step === 'cache').length).toBeGreaterThan(0)
  steps.length = 0
  expect(await prepare('int8', ({ step }) => steps.push(step))).toEqual(first)
  expect(steps).toEqual([])
  const file = await measuredFile()
  const content = await readFile(file, 'utf8')
  await writeFile(file, content.replace(/"scales":\[\d+/, '"scales":[9'))
  expect(await prepare('int8')).toEqual(first)
  expect(await readFile(file, 'utf8')).toBe(content)
  await rm(file)
  expect(await prepare('int8')).toEqual(first)
  expect(await readFile(file, 'utf8')).toBe(content)
})

it('is another model to the queue than with a float32 cache, and than with the scales of another machine, which a copy brings', async () => {
  const [float, int8] = [await prepare('f32'), await prepare('int8')]
  const file = await measuredFile()
  const { measured } = JSON.parse(await readFile(file, 'utf8'))
  measured.scales[0] *= 1.001
  await writeFile(file, JSON.stringify({ measured, checksum: crc32(JSON.stringify(measured)) }))
  const copied = await prepare('int8')
  expect(copied.cacheScales).toEqual(measured.scales)
  expect(new Set([float.modelHash, int8.modelHash, copied.modelHash]).size).toBe(3)
})
