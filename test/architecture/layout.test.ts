import { globSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

const FILES = globSync('{src,test,load,bin}/**/*.{ts,mjs,cjs}').filter(file => !file.includes('node_modules'))
const PRODUCT = FILES.filter(file => file.startsWith('src/'))

const MAX_LINES = 300

/** Files with more lines, each with the reason. A row that no longer applies fails the test. */
const LONG_FILES: Readonly<Record<string, string>> = {
  'test/inference/sampling/sampler.test.ts': 'the sampler against its naive specification, option by option',
  'test/routes/completions/body.test.ts': 'one table: every field of a completion body, what it accepts and what it refuses',
  'test/server/app.test.ts': 'every route of the assembled application against one set of parts'
}

it('has no folder called utils, types, common or helpers, and no barrel file', () => {
  const drawers = FILES.filter(file => /\/(utils?|types?|common|helpers?)\/|\/index\.[cm]?[jt]s$/.test(file))
  expect(drawers).toEqual([])
})

it(`has at most ${MAX_LINES} lines in each file, except where a reason is stated`, () => {
  const long = FILES.filter(file => lines(file).length > MAX_LINES)
  expect(long.toSorted()).toEqual(Object.keys(LONG_FILES).toSorted())
})

it('reads the environment in src/server/config/ only', () => {
  const readers = PRODUCT.filter(file => !file.startsWith('src/server/config/')).flatMap(file =>
    lines(file)
      // An assignment to a variable does not read it; the rest of its line counts.
      .map(line => line.replace(/\bprocess\.env\['\w+'\] = /, ''))
      .filter(line =>
        /\bprocess(\?\.|\.|\[['"])env\b|\benv\b[^=]*\}\s*=\s*process\b|import\s+\{[^}]*\benv\b[^}]*\}\s+from\s+'node:process'/.test(line)
      )
      .map(line => `${file}: ${line.trim()}`)
  )
  expect(readers).toEqual([])
})

it('starts every process of a test through owned(), which ends it with the test', () => {
  const starts = /(?<!owned\(\s*)(?<![\w.])(spawn|fork)\(/
  const files = FILES.filter(file => file.startsWith('test/') && !file.startsWith('test/processes/'))
  expect(files.filter(file => starts.test(readFileSync(file, 'utf8')))).toEqual([])
})

it('names no machine path and no registry host', () => {
  const hosts = ['regis' + 'try.npmjs', 'regis' + 'try.yarnpkg', 'pypi' + '.org']
  const paths = ['/wo' + 'rk/', '/ro' + 'ot/']
  const texts = globSync('{*.md,*.json,*.ts,.npmrc,docs/**/*.md,{src,test,load,bin,docker,.ci}/**/*.{ts,mjs,md,json}}')
  const named = texts.filter(file => {
    const text = readFileSync(file, 'utf8')
    return [...hosts, ...paths].some(word => text.includes(word))
  })
  expect(named).toEqual([])
})

function lines(file: string): string[] {
  return readFileSync(file, 'utf8').trimEnd().split('\n')
}
