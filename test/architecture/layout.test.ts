import { globSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

const FILES = globSync('{src,test,load,bin}/**/*.{ts,mjs,cjs}').filter(file => !file.includes('node_modules'))
const PRODUCT = FILES.filter(file => file.startsWith('src/'))

it('has no drawers and no barrels', () => {
  const drawers = FILES.filter(file => /\/(utils?|types?|common|helpers?)\/|\/index\.[cm]?[jt]s$/.test(file))
  expect(drawers).toEqual([])
})

it('keeps one idea a file: none in src/ is longer than 300 lines', () => {
  const long = PRODUCT.filter(file => lines(file).length > 300)
  expect(long).toEqual([])
})

it('reads the environment in src/server/config/ only', () => {
  const readers = PRODUCT.filter(file => !file.startsWith('src/server/config/')).flatMap(file =>
    lines(file)
      // What an assignment writes to is not read; the rest of its line counts.
      .map(line => line.replace(/\bprocess\.env\['\w+'\] = /, ''))
      .filter(line =>
        /\bprocess(\?\.|\.|\[['"])env\b|\benv\b[^=]*\}\s*=\s*process\b|import\s+\{[^}]*\benv\b[^}]*\}\s+from\s+'node:process'/.test(line)
      )
      .map(line => `${file}: ${line.trim()}`)
  )
  expect(readers).toEqual([])
})

it('starts every process of a test so that it cannot be left behind', () => {
  const starts = /(?<!owned\(\s*)(?<![\w.])(spawn|fork)\(/
  const files = FILES.filter(file => file.startsWith('test/') && !/^test\/(processes|house)\//.test(file))
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
