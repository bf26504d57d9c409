import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { readCatalog } from '../../../src/server/download/catalog.ts'
import { resolveModel } from '../../../src/server/download/fetch-model.ts'
import { fetchContext, network, temporaryFolder } from './fetch-parts.ts'
import { refusedUrl } from './file-server.ts'

it('resolves a folder and a .gguf file, and derives the name from the path', async () => {
  const folder = await temporaryFolder()
  await mkdir(join(folder, 'my-model'))
  await writeFile(join(folder, 'some.Q8_0.gguf'), '')
  expect(await resolve(join(folder, 'my-model'))).toEqual({
    name: 'my-model',
    kind: 'folder',
    path: join(folder, 'my-model'),
    listed: null
  })
  expect(await resolve(join(folder, 'some.Q8_0.gguf'))).toEqual({
    name: 'some.Q8_0',
    kind: 'gguf',
    path: join(folder, 'some.Q8_0.gguf'),
    listed: null
  })
})

it('downloads a name of the catalogue', async () => {
  await expect(resolve('smollm2-135m-instruct')).rejects.toMatchObject({
    exitCode: 1,
    message: expect.stringContaining('smollm2-135m-instruct could not be downloaded')
  })
})

it('reports where it searched, and suggests a similar name', async () => {
  await expect(resolve('smollm-135m-instruct')).rejects.toMatchObject({
    exitCode: 2,
    message: expect.stringMatching(/not a name in the catalogue .*, and .* does not exist\. Did you mean smollm2-135m-instruct\?$/)
  })
})

it('refuses a file of another kind', async () => {
  const file = join(await temporaryFolder(), 'model.bin')
  await writeFile(file, '')
  await expect(resolve(file)).rejects.toMatchObject({ exitCode: 2, message: expect.stringContaining('neither a .gguf file nor a folder') })
})

it('reads a catalogue that contains the default model, with a licence and several sources', async () => {
  const catalog = await readCatalog()
  const model = catalog.find(({ name }) => name === 'smollm2-135m-instruct')
  expect(model).toMatchObject({ licence: 'Apache-2.0', bytes: 98_362_432 })
  expect(model?.sources.map(({ kind }) => kind)).toEqual(['hub', 'wheel'])
})

it('refuses a catalogue with paths outside the models folder', async () => {
  const file = join(await temporaryFolder(), 'catalog.json')
  const [model] = await readCatalog()
  for (const wrong of [{ file: '../escape.gguf' }, { name: '../up' }, { sha256: 'abc' }, { sources: [] }, { surprise: 1 }]) {
    await writeFile(file, JSON.stringify({ models: [{ ...model, ...wrong }] }))
    await expect(readCatalog(file)).rejects.toThrow('is not a valid catalogue')
  }
})

async function resolve(model: string) {
  const { modelsFolder, network: settings, reporter } = await fetchContext(network(await refusedUrl()))
  return await resolveModel({ model, modelsFolder, network: settings }, reporter)
}
