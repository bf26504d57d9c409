import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect, it, onTestFinished } from 'vitest'
import type { NetworkSettings } from '../../../src/server/config/network-settings.ts'
import { modelPath } from '../../../src/server/download/catalog.ts'
import { fetchModel } from '../../../src/server/download/fetch-model.ts'
import { lockFolder } from '../../../src/server/download/folder-lock.ts'
import { owned } from '../../processes/owned-process.ts'
import { aModel, CONTENT } from './a-model.ts'
import { fetchContext, network, temporaryFolder } from './fetch-parts.ts'
import { fileAnswer, serveHttp } from './file-server.ts'

const MODEL = aModel()
const NEVER = new AbortController().signal

it('killed and restarted: the download resumes where it stopped', async () => {
  const hub = await serveHttp(fileAnswer({ content: CONTENT, etag: '"v1"', stops: [123_456] }))
  const context = await fetchContext(network(hub.url))
  const { child, lines } = start(context.modelsFolder, context.network)
  for await (const line of lines) if (Number(line) === 123_456) break
  child.kill('SIGKILL')
  await once(child, 'exit')
  expect(await readdir(dirname(modelPath(context.modelsFolder, MODEL)))).toEqual(['.lock', 'tiny.gguf.part', 'tiny.gguf.part.etag'])

  const path = await fetchModel(MODEL, context)
  expect(CONTENT.equals(await readFile(path))).toBe(true)
  expect(hub.seen.map(({ range }) => range)).toEqual([null, 'bytes=123456-'])
  expect(await readdir(dirname(path))).toEqual(['tiny.gguf', 'tiny.gguf.verified'])
})

it('two processes at once: one downloads, the other waits and uses the result', async () => {
  const hub = await serveHttp(fileAnswer({ content: CONTENT, etag: '"v1"', stops: [1000] }))
  const context = await fetchContext(network(hub.url))
  const { child, lines } = start(context.modelsFolder, context.network)
  for await (const line of lines) if (Number(line) === 1000) break

  const waiting = Promise.withResolvers<string>()
  const reporter = { ...context.reporter, line: waiting.resolve }
  const second = fetchModel(MODEL, { ...context, reporter })
  expect(await waiting.promise).toBe(`waiting for process ${child.pid}, which is downloading tiny`)
  hub.breakConnections() // the first one resumes
  expect(CONTENT.equals(await readFile(await second))).toBe(true)
  expect(hub.seen).toHaveLength(2)
})

it('many at once in one process: the file is downloaded once', async () => {
  const hub = await serveHttp(fileAnswer({ content: CONTENT, etag: '"v1"', stops: [] }))
  const context = await fetchContext(network(hub.url))
  await Promise.all(Array.from({ length: 5 }, () => fetchModel(MODEL, context)))
  expect(hub.seen).toHaveLength(1)
})

it('aborted: it rejects at once with the reason, keeps the received bytes, and leaves no lock', async () => {
  const hub = await serveHttp(fileAnswer({ content: CONTENT, etag: '"v1"', stops: [5000] }))
  const abort = new AbortController()
  const context = await fetchContext(network(hub.url), { signal: abort.signal, onProgress: () => abort.abort(new Error('stop')) })
  await expect(fetchModel(MODEL, context)).rejects.toThrow('stop')
  expect(await readdir(dirname(modelPath(context.modelsFolder, MODEL)))).toEqual(['tiny.gguf.part', 'tiny.gguf.part.etag'])
})

it.each([
  ['a process that has exited', { pid: spawnSync(process.execPath, ['--version']).pid, host: hostname(), token: 'a' }, 0],
  ['another host that has not refreshed it', { pid: process.pid, host: 'elsewhere', token: 'a' }, 60],
  ['an unreadable owner', 'half a li', 60]
])('takes over the lock of %s', async (_, owner, ageSeconds) => {
  const folder = await temporaryFolder()
  await leaveLock(folder, owner, ageSeconds)
  const lock = await lockFolder(folder, NEVER, () => expect.unreachable('no owner to wait for'))
  await lock[Symbol.asyncDispose]()
  expect(await readdir(folder)).toEqual([])
})

it('waits for a live owner on another host, until it is aborted', async () => {
  const folder = await temporaryFolder()
  await leaveLock(folder, { pid: 1, host: 'elsewhere', token: 'a' }, 0)
  const abort = new AbortController()
  await expect(lockFolder(folder, abort.signal, () => abort.abort())).rejects.toThrow('abort')
  expect(await readdir(folder)).toEqual(['.lock'])
})

it('breaks a stale lock so that only one process at a time holds it', async () => {
  const folder = await temporaryFolder()
  await leaveLock(folder, { pid: spawnSync(process.execPath, ['--version']).pid, host: hostname(), token: 'a' }, 0)
  let holders = 0
  const most: number[] = []
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      await using _ = await lockFolder(folder, NEVER, () => {})
      most.push(++holders)
      await stat(folder)
      holders--
    })
  )
  expect(most).toEqual(Array.from({ length: 8 }, () => 1))
})

function start(modelsFolder: string, settings: NetworkSettings): { readonly child: ChildProcess; readonly lines: AsyncIterable<string> } {
  const argument = JSON.stringify({ model: MODEL, modelsFolder, network: settings })
  const child = owned(
    spawn(process.execPath, [fileURLToPath(new URL('./fetch-once.ts', import.meta.url)), argument], {
      stdio: ['ignore', 'pipe', 'inherit']
    })
  )
  onTestFinished(() => void child.kill('SIGKILL'))
  return { child, lines: createInterface(child.stdout) }
}

async function leaveLock(folder: string, owner: unknown, ageSeconds: number): Promise<void> {
  const file = join(folder, '.lock')
  await mkdir(folder, { recursive: true })
  await writeFile(file, typeof owner === 'string' ? owner : JSON.stringify(owner))
  const then = new Date(Date.now() - ageSeconds * 1000)
  await utimes(file, then, then)
}
