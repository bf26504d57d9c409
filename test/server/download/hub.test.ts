import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { expect, it } from 'vitest'
import { modelPath } from '../../../src/server/download/catalog.ts'
import { fetchModel } from '../../../src/server/download/fetch-model.ts'
import { aModel, CONTENT } from './a-model.ts'
import { fetchContext, network } from './fetch-parts.ts'
import { type FileBehaviour, fileAnswer, refusedUrl, serveHttp, serveSilence, type TestServer } from './file-server.ts'

const MODEL = aModel()
const RESOLVE = '/someone/tiny/resolve/abc123/tiny.gguf'
/** The error of a model whose only source is the hub. */
const HUB_ONLY = { exitCode: 1 }

it('follows the redirect to the store and installs the file and nothing else', async () => {
  const { hub, store } = await aHub()
  const context = await fetchContext(network(hub.url))
  const path = await fetchModel(MODEL, context)

  expect(await isContent(path)).toBe(true)
  expect(path).toBe(modelPath(context.modelsFolder, MODEL))
  expect(await readdir(dirname(path))).toEqual(['tiny.gguf', 'tiny.gguf.verified'])
  expect(hub.seen.map(({ path }) => path)).toEqual([RESOLVE])
  expect(store.seen.map(({ path }) => path)).toEqual(['/blob?signed=1'])
})

it('sends the token only to the hub', async () => {
  const { hub, store } = await aHub()
  await fetchModel(MODEL, await fetchContext(network(hub.url, {}, { hubToken: 'hf_secret' })))
  expect(hub.seen.map(({ authorization }) => authorization)).toEqual(['Bearer hf_secret'])
  expect(store.seen.map(({ authorization }) => authorization)).toEqual([null])
})

it.each([1, 1000, CONTENT.length - 1])('resumes after %i bytes of an earlier run, if the file is still the same', async had => {
  const { hub, store } = await aHub()
  const context = await fetchContext(network(hub.url))
  await leavePart(context.modelsFolder, CONTENT.subarray(0, had), '"v1"')

  expect(await isContent(await fetchModel(MODEL, context))).toBe(true)
  expect(store.seen).toMatchObject([{ range: `bytes=${had}-`, ifRange: '"v1"' }])
  expect(context.reporter.problems).toEqual([])
})

it('sends no request if an earlier run had downloaded everything and crashed before the rename', async () => {
  const { hub } = await aHub()
  const context = await fetchContext(network(hub.url))
  await leavePart(context.modelsFolder, CONTENT, '"v1"')
  expect(await isContent(await fetchModel(MODEL, context))).toBe(true)
  expect(hub.seen).toEqual([])
})

it('starts again if the file has changed since', async () => {
  const { hub, store } = await aHub()
  const context = await fetchContext(network(hub.url))
  await leavePart(context.modelsFolder, Buffer.alloc(5000), '"v0"')

  expect(await isContent(await fetchModel(MODEL, context))).toBe(true)
  expect(store.seen).toMatchObject([{ range: 'bytes=5000-', ifRange: '"v0"' }])
})

it.each([null, 'W/"weak"'])('resumes without If-Range if the server sends no strong ETag (%s)', async etag => {
  const { hub, store } = await aHub({ etag, stops: [1000] })
  const breakAt = [1000]
  const context = await fetchContext(network(hub.url), { onProgress: done => breakAt.includes(done) && store.breakConnections() })
  expect(await isContent(await fetchModel(MODEL, context))).toBe(true)
  expect(store.seen).toMatchObject([
    { range: null, ifRange: null },
    { range: 'bytes=1000-', ifRange: null }
  ])
})

it('starts again if the version of the bytes is unknown', async () => {
  const { hub, store } = await aHub()
  const context = await fetchContext(network(hub.url))
  await leavePart(context.modelsFolder, Buffer.alloc(5000), null)
  expect(await isContent(await fetchModel(MODEL, context))).toBe(true)
  expect(store.seen).toMatchObject([{ range: null }])
})

it('downloads once more if the bytes of an earlier run were wrong', async () => {
  const { hub, store } = await aHub()
  const context = await fetchContext(network(hub.url))
  await leavePart(context.modelsFolder, Buffer.alloc(5000), '"v1"')

  expect(await isContent(await fetchModel(MODEL, context))).toBe(true)
  expect(store.seen.map(({ range }) => range)).toEqual(['bytes=5000-', null])
  expect(context.reporter.problems).toHaveLength(1)
})

it('resumes at once when the connection breaks, as long as each connection delivers bytes', async () => {
  const { hub, store } = await aHub({ stops: [1000, 100_000, 50_000] })
  const breakAt = [1000, 101_000, 151_000]
  const context = await fetchContext(network(hub.url), { onProgress: done => breakAt.includes(done) && store.breakConnections() })
  expect(await isContent(await fetchModel(MODEL, context))).toBe(true)
  expect(store.seen.map(({ range }) => range)).toEqual([null, 'bytes=1000-', 'bytes=101000-', 'bytes=151000-'])
})

it('gives up on a server that breaks the connection without delivering a byte', async () => {
  const { hub } = await aHub({ stops: [0, 0, 0] })
  const context = await fetchContext(network(hub.url))
  await expect(fetchModel(MODEL, context)).rejects.toMatchObject(HUB_ONLY)
  expect(context.reporter.problems[0]).toContain('connection reset')
})

it.each([
  ['other bytes', { content: Buffer.alloc(CONTENT.length, 7) }, 'its checksum does not match the catalogue'],
  ['a shorter file', { content: CONTENT.subarray(1) }, 'has a different file: 299999 bytes'],
  ['a longer file', { content: Buffer.concat([CONTENT, CONTENT]) }, 'has a different file: 600000 bytes']
])('installs nothing and keeps nothing of %s', async (_, behaviour, message) => {
  const { hub } = await aHub(behaviour)
  const context = await fetchContext(network(hub.url))
  await expect(fetchModel(MODEL, context)).rejects.toMatchObject(HUB_ONLY)
  expect(context.reporter.problems[0]).toContain(message)
  expect(await readdir(dirname(modelPath(context.modelsFolder, MODEL)))).toEqual([])
})

it('stops reading an endless body without a length', async () => {
  const endless = await serveHttp((_, response) => {
    const more = (): void => {
      while (response.write(CONTENT)) {}
      response.once('drain', more)
    }
    more()
  })
  const context = await fetchContext(network(endless.url))
  await expect(fetchModel(MODEL, context)).rejects.toMatchObject(HUB_ONLY)
  expect(context.reporter.problems[0]).toContain('sent more than the 300000 bytes')
})

it.each([
  [401, 'answered 401 (unauthorized: the hub needs a token in HF_TOKEN)'],
  [403, 'answered 403 (forbidden)'],
  [404, 'answered 404 (not found)'],
  [429, 'answered 429 (too many requests)'],
  [500, 'answered 500']
])('explains the status %i', async (status, message) => {
  const hub = await serveHttp((_, response) => void response.writeHead(status).end('<html>'))
  const context = await fetchContext(network(hub.url))
  await expect(fetchModel(MODEL, context)).rejects.toThrow(message)
})

it('does not follow a redirect loop', async () => {
  const hub = await serveHttp((_, response) => void response.writeHead(302, { location: RESOLVE }).end())
  await expect(fetchModel(MODEL, await fetchContext(network(hub.url)))).rejects.toThrow('redirects more than 10 times')
})

it('gives up a connection that is not established in time', async () => {
  const context = await fetchContext(network(await serveSilence(), {}, { connectTimeoutMs: 50 }))
  await expect(fetchModel(MODEL, context)).rejects.toThrow('no connection within 0.05 s')
})

it('gives up a server that accepts the request and sends nothing', async () => {
  const hub = await serveHttp(() => {})
  const context = await fetchContext(network(hub.url, {}, { silenceTimeoutMs: 50 }))
  await expect(fetchModel(MODEL, context)).rejects.toThrow('no data received for 0.05 s')
})

it('uses the proxy of the environment', async () => {
  const proxy = await serveHttp(fileAnswer({ content: CONTENT, etag: '"v1"', stops: [] }))
  const context = await fetchContext(network('http://hub.example', { HTTP_PROXY: proxy.url }))
  expect(await isContent(await fetchModel(MODEL, context))).toBe(true)
  expect(proxy.seen.map(({ path }) => path)).toEqual([`http://hub.example${RESOLVE}`])
})

it('reports a refused connection', async () => {
  const context = await fetchContext(network(await refusedUrl()))
  await expect(fetchModel(MODEL, context)).rejects.toThrow('connection refused')
})

async function isContent(path: string): Promise<boolean> {
  return CONTENT.equals(await readFile(path))
}

async function aHub(changes: Partial<FileBehaviour> = {}): Promise<{ readonly hub: TestServer; readonly store: TestServer }> {
  const store = await serveHttp(fileAnswer({ content: CONTENT, etag: '"v1"', stops: [], ...changes }))
  const hub = await serveHttp(
    (_, response) => void response.writeHead(302, { location: `${store.url}/blob?signed=1`, etag: '"other"' }).end()
  )
  return { hub, store }
}

async function leavePart(modelsFolder: string, bytes: Uint8Array, etag: string | null): Promise<void> {
  const part = `${modelPath(modelsFolder, MODEL)}.part`
  await mkdir(dirname(part), { recursive: true })
  await writeFile(part, bytes)
  if (etag !== null) await writeFile(`${part}.etag`, etag)
}
