import { globSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { FAMILIES } from '../../src/inference/families/registry.ts'
import { OPTIONS } from '../../src/server/config/options.ts'
import { codesIn, rowsOf } from '../docs/markdown-tables.ts'

const FILES = globSync('src/inference/families/*.ts').filter(file => basename(file) !== 'registry.ts')

/** Files in which the same words name tokenizers and formats of tool calls, which are not specific to a family. */
const OTHER_MEANINGS =
  /^src\/(inference\/tokenizer\/|routes\/chat\/|inference\/contract\/text-port\.ts|inference\/model\/model-metadata\.ts)/

it('has one file for each family, which defines no other family', async () => {
  const defined = await Promise.all(
    FILES.map(async file => {
      const exported = Object.values((await import(`../../src/inference/families/${basename(file, '.ts')}.ts`)) as object)
      return FAMILIES.filter(family => exported.includes(family)).map(family => [basename(file, '.ts'), family.modelTypes[0]])
    })
  )
  expect(defined.flat().toSorted()).toEqual(FAMILIES.map(({ modelTypes: [id] }) => [id, id]).toSorted())
  expect(defined.map(families => families.length)).toEqual(FILES.map(() => 1))
})

it('uses each name for one family only', () => {
  const modelTypes = FAMILIES.flatMap(family => family.modelTypes)
  const architectures = FAMILIES.flatMap(({ gguf }) => gguf?.architecture ?? [])
  expect(modelTypes).toEqual([...new Set(modelTypes)])
  expect(architectures).toEqual([...new Set(architectures)])
})

it("has a fixture with transformers' results for each family", () => {
  const ConfigJson = z.object({ model_type: z.string() })
  const read = (file: string) => ConfigJson.parse(JSON.parse(readFileSync(file, 'utf8'))).model_type
  const fixtures = new Set(globSync('test/fixtures/families/*/config.json').map(read))
  expect(FAMILIES.filter(({ modelTypes }) => !modelTypes.some(type => fixtures.has(type)))).toEqual([])
})

it('lists the families, and only these, in docs/models.md', () => {
  const rows = rowsOf('docs/models.md', 'family').map(([title, modelTypes, architectures]) => [
    title,
    codesIn(modelTypes),
    codesIn(architectures)
  ])
  const expected = FAMILIES.map(({ title, modelTypes, gguf }) => [title, modelTypes, gguf === null ? [] : [gguf.architecture]])
  expect(rows).toEqual(expected)
})

it('lists the families in --help', () => {
  expect(FAMILIES.filter(({ title }) => !OPTIONS.model.help.includes(title))).toEqual([])
})

it('names no family in any other file of the program', () => {
  const names = new Set(FAMILIES.flatMap(({ title, modelTypes, gguf }) => [title, ...modelTypes, gguf?.architecture ?? title]).map(plain))
  const others = globSync('{src,bin}/**/*.{ts,mjs}').filter(file => !FILES.includes(file) && !OTHER_MEANINGS.test(file))
  const naming = others
    .filter(file => file !== 'src/inference/families/registry.ts')
    .flatMap(file => {
      const code = `${file}\n${withoutComments(readFileSync(file, 'utf8'))}`
      return words(code)
        .filter(word => names.has(word))
        .map(word => `${file}: ${word}`)
    })
  expect(naming).toEqual([])
})

function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\/|(?<!:)\/\/.*$/gm, '').replaceAll('llama.cpp', '')
}

/** Words of texts, and of identifiers: `gpt2Weights` has two. */
function words(code: string): string[] {
  return code.split(/[^\w-]+|_|(?<=[a-z\d])(?=[A-Z])/).map(plain)
}

function plain(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z\d]/g, '')
}
