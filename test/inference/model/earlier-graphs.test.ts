import { createHash } from 'node:crypto'
import { cp, mkdir, mkdtemp, open, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { prepareModel } from '../../../src/inference/model/prepare-model.ts'
import type { PreparedModel } from '../../../src/inference/model/prepared-model.ts'
import { openMemory } from '../../../src/inference/runtime/memory/open-memory.ts'
import { writeTinyGguf } from './tiny-gguf.ts'

let folder: string
let path: string
let cacheFolder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'earlier-graphs-'))
  path = join(folder, 'tiny.gguf')
  cacheFolder = join(folder, 'cache')
})
afterEach(() => rm(folder, { recursive: true }))

function prepare(): Promise<PreparedModel> {
  return prepareModel({ path, quantization: 'none', cacheFolder })
}

async function graphFolders(): Promise<string[]> {
  return (await readdir(cacheFolder)).filter(name => name !== 'hashes').toSorted()
}

/** The folder that version 2 used for this file. */
async function earlierFolder(): Promise<string> {
  const weightsHash = createHash('sha256')
    .update(await readFile(path))
    .digest('hex')
  return join(cacheFolder, createHash('sha256').update(`${weightsHash} none 2`).digest('hex'))
}

it('removes graphs of earlier versions of the builder once the new one is built, and keeps those of other models', async () => {
  await writeTinyGguf(path)
  const other = join(cacheFolder, '0'.repeat(64))
  for (const each of [await earlierFolder(), other]) await mkdir(each, { recursive: true })
  const { modelHash } = await prepare()
  expect(await graphFolders()).toEqual([basename(other), modelHash].toSorted())
})

it.runIf(process.platform === 'linux')('keeps a graph of an earlier version while a process uses it', async () => {
  await writeTinyGguf(path)
  const [built, earlier] = [dirname((await prepare()).graphPath), await earlierFolder()]
  await cp(built, earlier, { recursive: true })
  await rm(built, { recursive: true })
  const memory = openMemory()
  const address = memory.reserve(memory.pageBytes)
  {
    await using weights = await open(join(earlier, 'weights.bin'), 'r+')
    expect(memory.share(address, memory.pageBytes, weights.fd)).toBe(true)
  }
  await prepare()
  expect(await graphFolders()).toEqual([basename(built), basename(earlier)].toSorted())

  memory.free(address, memory.pageBytes)
  await rm(built, { recursive: true })
  await prepare()
  expect(await graphFolders()).toEqual([basename(built)])
})
