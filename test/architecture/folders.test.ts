import { globSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { expect, it } from 'vitest'

const MAX_FILES = 12

/** Folders with more files, each with the reason. A row that no longer applies fails the test. */
const LARGE_FOLDERS: Readonly<Record<string, string>> = {
  'src/inference/contract': 'one file per concept; every folder imports it, and subfolders would add no meaning'
}

const SOURCES = globSync('src/**/*.ts')
const MAIN_FOLDERS = ['src/server', 'src/routes', 'src/queue', 'src/inference']

it(`has at most ${MAX_FILES} source files in each folder of src/, except where a reason is stated`, () => {
  const filesOf = Map.groupBy(SOURCES, dirname)
  const large = [...filesOf].filter(([, files]) => files.length > MAX_FILES).map(([folder]) => folder)
  expect(large.toSorted()).toEqual(Object.keys(LARGE_FOLDERS).toSorted())
})

it('has a README in each main folder of src/', () => {
  expect([...new Set(SOURCES.map(file => join('src', file.split('/')[1] ?? '')))].toSorted()).toEqual(MAIN_FOLDERS.toSorted())
  expect(globSync('src/*/README.md').map(dirname).toSorted()).toEqual(MAIN_FOLDERS.toSorted())
})

it.each(MAIN_FOLDERS)('describes every source file of %s in its README, or in that of a folder within', folder => {
  const readme = globSync(`${folder}/**/README.md`)
    .map(file => readFileSync(file, 'utf8'))
    .join('\n')
  const missing = SOURCES.filter(file => file.startsWith(`${folder}/`) && !isNamed(readme, file))
  expect(missing).toEqual([])
})

it.each(MAIN_FOLDERS)('names only files that exist in the README of %s', folder => {
  const known = new Set(SOURCES.map(file => basename(file)))
  const named = [...readFileSync(join(folder, 'README.md'), 'utf8').matchAll(/(?<!test\/\S*)\b[\w.-]+\.ts\b/g)].map(([name]) => name)
  expect(named.filter(name => !known.has(name))).toEqual([])
})

/** With or without its extension. */
function isNamed(text: string, file: string): boolean {
  return new RegExp(`(?<![\\w-])${basename(file, '.ts')}(?![\\w-])`).test(text)
}
