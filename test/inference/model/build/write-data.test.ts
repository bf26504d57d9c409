import { mkdtemp, open, readFile, rm, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { DATA_FILE } from '../../../../src/inference/graph/graph-plan.ts'
import { writeGraph } from '../../../../src/inference/graph/write-graph.ts'
import { writeDataInThreads } from '../../../../src/inference/model/build/write-data.ts'
import { findModelFiles } from '../../../../src/inference/model/model-files.ts'
import { type PlannedModel, planModel } from '../../../../src/inference/model/plan-model.ts'
import { ModelFileError } from '../../../../src/inference/weights/model-file-error.ts'
import { TINY_LLAMA } from '../../graph/tiny-llama.ts'
import { writeTinyGguf } from '../tiny-gguf.ts'

/** Matrices of more than one piece. */
const WIDE_LLAMA = { ...TINY_LLAMA, vocabulary: 40_000 }

let folder: string
let path: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'write-data-'))
  path = join(folder, 'wide.gguf')
  await writeTinyGguf(path, { config: WIDE_LLAMA, extras: ['biases'] })
})
afterEach(() => rm(folder, { recursive: true }))

async function planned(): Promise<PlannedModel> {
  return planModel(await findModelFiles(path), 'int8')
}

it('writes the same bytes with any number of threads, and their checksum', async () => {
  const { plan, matrices, file } = await planned()
  await using _ = file
  const results: { data: Buffer; progress: number | undefined }[] = []
  for (const threads of [0, 1, 3]) {
    const progress: number[] = []
    const { dataChecksum } = await writeGraph(
      folder,
      plan,
      writeDataInThreads(plan, matrices, { threads, onProgress: fraction => progress.push(fraction) })
    )
    const data = await readFile(join(folder, DATA_FILE))
    expect(dataChecksum).toBe(crc32(data))
    expect(progress).toEqual(progress.toSorted((a, b) => a - b))
    results.push({ data, progress: progress.at(-1) })
  }
  expect(results[0]?.data.some(byte => byte !== 0)).toBe(true)
  for (const { data, progress } of results) {
    expect(data.equals(results[0]?.data ?? Buffer.alloc(0))).toBe(true)
    expect(progress).toBe(1)
  }
})

it.each([0, 2])('reports a source that became shorter as a fault of the file (%i threads)', async threads => {
  const { plan, matrices, file } = await planned()
  await using _ = file
  await truncate(path, 10_000)
  const error = await writeGraph(folder, plan, writeDataInThreads(plan, matrices, { threads, onProgress: () => {} })).catch(
    (reason: unknown) => reason
  )
  expect(error).toBeInstanceOf(ModelFileError)
  expect(String(error)).toMatch(/wide\.gguf: tensor "[^"]+" ends early: the file became shorter$/)
})

it.runIf(process.platform === 'linux').each([0, 2])('keeps the code of an error of the file system (%i threads)', async threads => {
  const { plan, matrices, file } = await planned()
  await using _ = file
  await using full = await open('/dev/full', 'w')
  const error = await writeDataInThreads(plan, matrices, { threads, onProgress: () => {} })(full.fd).catch((reason: unknown) => reason)
  expect(error).toMatchObject({ code: 'ENOSPC' })
})
