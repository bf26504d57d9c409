import { mkdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { expect, it } from 'vitest'
import { readDoctorConfig } from '../../../src/server/config/doctor-config.ts'
import { meaningOf } from '../../../src/server/doctor/check-determinism.ts'
import { checkMemory } from '../../../src/server/doctor/check-memory.ts'
import { checkModel } from '../../../src/server/doctor/check-model.ts'
import { checkPort } from '../../../src/server/doctor/check-port.ts'
import { checkProcessor } from '../../../src/server/doctor/check-processor.ts'
import { checkRedis } from '../../../src/server/doctor/check-redis.ts'
import { checkRuntime } from '../../../src/server/doctor/check-runtime.ts'
import { modelPath, readCatalog } from '../../../src/server/download/catalog.ts'
import { temporaryFolder } from '../download/fetch-parts.ts'

const MODEL = { contextLength: 1024, cacheBytesPerToken: 1024 }
const MEMORY = { memoryBytes: 2 ** 30, cacheMemoryBytes: 2 ** 29, workers: 1, maxSlots: 32, maxContext: null }

it('loads the native runtime and says its version', async () => {
  const [node, runtime] = await checkRuntime()
  expect(node).toMatchObject({ state: 'ok', text: expect.stringContaining(process.versions.node) })
  expect(runtime).toMatchObject({ state: 'ok', text: expect.stringMatching(/^\d+\.\d+\.\d+ loads, through koffi \d/) })
})

it('says what all texts at full length take of the cache, and whether they fit', () => {
  expect(checkMemory(MEMORY, MODEL)[1]).toMatchObject({
    state: 'ok',
    text: expect.stringMatching(/32 texts of 1024 .* 32 MiB .*: they fit/)
  })
  const tight = checkMemory({ ...MEMORY, cacheMemoryBytes: 2 ** 22 }, MODEL)[1]
  expect(tight).toMatchObject({ state: 'info', text: expect.stringContaining('4 of full length fit at once') })
})

it('finds a cache that does not hold one text, and one that is larger than the memory', () => {
  const small = checkMemory({ ...MEMORY, cacheMemoryBytes: 2 ** 20, workers: 2 }, MODEL)
  expect(small[1]).toMatchObject({ state: 'problem', todo: '--max-context 512, or a larger --cache-memory' })
  expect(checkMemory({ ...MEMORY, cacheMemoryBytes: 2 ** 31 }, null)).toMatchObject([{ state: 'problem' }])
})

it('finds a port that is taken', async () => {
  const server = createServer()
  const port = await new Promise<number>(resolve => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : 0)
    })
  })
  expect(await checkPort('127.0.0.1', port)).toMatchObject({ state: 'problem', text: expect.stringContaining('is taken') })
  await new Promise(resolve => server.close(resolve))
  expect(await checkPort('127.0.0.1', 0)).toMatchObject({ state: 'ok' })
  expect(await checkPort('192.0.2.1', port)).toMatchObject({ state: 'problem', text: expect.stringContaining('cannot be opened') })
})

it.each([
  ['avx2 avx512_vnni', 'ok', 'with AVX512-VNNI'],
  ['avx2 avx_vnni', 'info', 'AVX-VNNI only'],
  ['sse2 avx2', 'info', 'AVX2 only: --quantization none is faster from about 16 streams on'],
  ['sse2', 'info', 'neither AVX512-VNNI nor AVX2']
])('reads what a processor can: %s', async (flags, state, text) => {
  const file = join(await temporaryFolder(), 'cpuinfo')
  await writeFile(file, `processor : 0\nflags\t\t: fpu ${flags}\n`)
  expect(await checkProcessor(2, file)).toMatchObject({ state, text: expect.stringContaining(text) })
  expect(await checkProcessor(2, `${file}-missing`)).toMatchObject({ state: 'info', text: expect.stringContaining('does not say') })
})

it('looks for Redis in PATH, and misses it nowhere', async () => {
  const folder = await temporaryFolder()
  expect(await checkRedis(`:${folder}`, null)).toMatchObject([{ state: 'info' }])
  expect(await checkRedis(undefined, null)).toMatchObject([{ state: 'info' }])
  await writeFile(join(folder, 'redis-server'), '', { mode: 0o755 })
  expect(await checkRedis(`/nonexistent:${folder}`, null)).toMatchObject([{ state: 'ok', text: expect.stringContaining(folder) }])
})

it('tells a missing model from a damaged one and an unknown one, and says what to type', async () => {
  const folder = await temporaryFolder()
  expect(await lookAt({ MODELS_FOLDER: folder })).toMatchObject({
    state: 'problem',
    todo: 'npx everstream models pull smollm2-135m-instruct'
  })

  const [model] = await readCatalog()
  if (model === undefined) return expect.unreachable()
  await mkdir(dirname(modelPath(folder, model)), { recursive: true })
  await writeFile(modelPath(folder, model), 'short')
  expect(await lookAt({ MODELS_FOLDER: folder })).toMatchObject({ state: 'problem', text: expect.stringContaining('is damaged') })
  expect(await lookAt({ MODEL: 'no-such' })).toMatchObject({ state: 'problem', todo: 'npx everstream models list' })
  expect(await lookAt({ MODEL: 'src', MODELS_FOLDER: folder })).toMatchObject({
    state: 'problem',
    text: expect.stringContaining('holds no .gguf')
  })
})

it('says in words what the probe found; nothing of it is a problem', () => {
  const same = meaningOf({ loneRowDiffers: false, cutsDiffer: false })
  const differs = meaningOf({ loneRowDiffers: true, cutsDiffer: true })
  expect(same.map(({ state }) => state)).toEqual(['ok', 'ok'])
  expect(differs.map(({ state }) => state)).toEqual(['info', 'info'])
  expect(differs[0]?.text).toContain('dummy neighbour')
})

async function lookAt(environment: Record<string, string>) {
  const { findings } = await checkModel(readDoctorConfig([], environment))
  return findings[0]
}
