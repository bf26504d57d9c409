import { mkdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { expect, it } from 'vitest'
import { readDoctorConfig } from '../../../src/server/config/doctor-config.ts'
import { determinismFindings } from '../../../src/server/doctor/check-determinism.ts'
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

it('loads the native runtime and reports its version', async () => {
  const [node, runtime] = await checkRuntime()
  expect(node).toMatchObject({ state: 'ok', text: expect.stringContaining(process.versions.node) })
  expect(runtime).toMatchObject({ state: 'ok', text: expect.stringMatching(/^\d+\.\d+\.\d+, loaded with koffi \d/) })
})

it('reports the cache that all sequences of full length need, and whether they fit', () => {
  expect(checkMemory(MEMORY, MODEL)[1]).toMatchObject({
    state: 'ok',
    text: expect.stringMatching(/32 sequences of 1024 .* 32 MiB .*, which fit/)
  })
  const tight = checkMemory({ ...MEMORY, cacheMemoryBytes: 2 ** 22 }, MODEL)[1]
  expect(tight).toMatchObject({ state: 'info', text: expect.stringContaining('4 of full length run at once') })
})

it('finds a cache that is too small for one sequence, and one that is larger than the memory', () => {
  const small = checkMemory({ ...MEMORY, cacheMemoryBytes: 2 ** 20, workers: 2 }, MODEL)
  expect(small[1]).toMatchObject({ state: 'problem', todo: '--max-context 512, or a larger --cache-memory' })
  expect(checkMemory({ ...MEMORY, cacheMemoryBytes: 2 ** 31 }, null)).toMatchObject([{ state: 'problem' }])
})

it('finds a port that is in use', async () => {
  const server = createServer()
  const port = await new Promise<number>(resolve => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : 0)
    })
  })
  expect(await checkPort('127.0.0.1', port)).toMatchObject({ state: 'problem', text: expect.stringContaining('is already in use') })
  await new Promise(resolve => server.close(resolve))
  expect(await checkPort('127.0.0.1', 0)).toMatchObject({ state: 'ok' })
  expect(await checkPort('192.0.2.1', port)).toMatchObject({ state: 'problem', text: expect.stringContaining('cannot listen on port') })
})

it.each([
  ['avx2 avx512_vnni', 'ok', 'with AVX512-VNNI'],
  ['avx2 avx_vnni', 'info', 'AVX-VNNI only'],
  ['sse2 avx2', 'info', 'AVX2 only: --quantization none is faster with about 16 or more streams'],
  ['sse2', 'info', 'neither AVX512-VNNI nor AVX2']
])('recognizes a processor with %s', async (flags, state, text) => {
  const file = join(await temporaryFolder(), 'cpuinfo')
  await writeFile(file, `processor : 0\nflags\t\t: fpu ${flags}\n`)
  expect(await checkProcessor(2, file)).toMatchObject({ state, text: expect.stringContaining(text) })
  expect(await checkProcessor(2, `${file}-missing`)).toMatchObject({ state: 'info', text: expect.stringContaining('cannot be detected') })
})

it('finds redis-server in PATH; its absence is not a problem', async () => {
  const folder = await temporaryFolder()
  expect(await checkRedis(`:${folder}`, null)).toMatchObject([{ state: 'info' }])
  expect(await checkRedis(undefined, null)).toMatchObject([{ state: 'info' }])
  await writeFile(join(folder, 'redis-server'), '', { mode: 0o755 })
  expect(await checkRedis(`/nonexistent:${folder}`, null)).toMatchObject([{ state: 'ok', text: expect.stringContaining(folder) }])
})

it('distinguishes a missing, a damaged and an unknown model, and suggests a fix', async () => {
  const folder = await temporaryFolder()
  expect(await firstFinding({ MODELS_FOLDER: folder })).toMatchObject({
    state: 'problem',
    todo: 'npx everstream models pull smollm2-135m-instruct'
  })

  const [model] = await readCatalog()
  if (model === undefined) return expect.unreachable()
  await mkdir(dirname(modelPath(folder, model)), { recursive: true })
  await writeFile(modelPath(folder, model), 'short')
  expect(await firstFinding({ MODELS_FOLDER: folder })).toMatchObject({ state: 'problem', text: expect.stringContaining('is damaged') })
  expect(await firstFinding({ MODEL: 'no-such' })).toMatchObject({ state: 'problem', todo: 'npx everstream models list' })
  expect(await firstFinding({ MODEL: 'src', MODELS_FOLDER: folder })).toMatchObject({
    state: 'problem',
    text: expect.stringContaining('holds no .gguf')
  })
})

it('reports the result of the determinism probe, and no result is a problem', () => {
  const same = determinismFindings({ loneRowDiffers: false, cutsDiffer: false })
  const differs = determinismFindings({ loneRowDiffers: true, cutsDiffer: true })
  expect(same.map(({ state }) => state)).toEqual(['ok', 'ok'])
  expect(differs.map(({ state }) => state)).toEqual(['info', 'info'])
  expect(differs[0]?.text).toContain('dummy row')
})

async function firstFinding(environment: Record<string, string>) {
  const { findings } = await checkModel(readDoctorConfig([], environment))
  return findings[0]
}
