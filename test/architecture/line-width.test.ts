import { globSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

const COLUMNS = 120
const CODE = globSync('{src,test,load,bin}/**/*.{ts,mjs,cjs,lua}').filter(file => !file.includes('node_modules'))
const MARKDOWN = globSync('{*.md,{docs,docker,models}/**/*.md,{src,test,load}/**/*.md}').filter(file => !file.includes('node_modules'))

it('wraps comments at 120 columns', () => {
  expect(CODE.flatMap(file => tooWide(file, line => startOfComment(file).test(line)))).toEqual([])
})

it('wraps the prose of Markdown at 120 columns', () => {
  expect(MARKDOWN.flatMap(file => tooWide(file, proseOf(file)))).toEqual([])
})

/** `--` begins a comment in Lua, and an option in the help texts of TypeScript files. */
function startOfComment(file: string): RegExp {
  return file.endsWith('.lua') ? /^\s*--/ : /^\s*(\/\*|\*|\/\/)/
}

function tooWide(file: string, counts: (line: string, index: number) => boolean): string[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .flatMap((line, index) => (line.length > COLUMNS && counts(line, index) ? [`${file}:${index + 1}`] : []))
}

/** Tables, code blocks, link definitions and lines without a space to break at are left as they are. */
function proseOf(file: string): (line: string, index: number) => boolean {
  let isCode = false
  const isProse = readFileSync(file, 'utf8')
    .split('\n')
    .map(line => {
      const isFence = /^\s*(```|~~~)/.test(line)
      if (isFence) isCode = !isCode
      return !isCode && !isFence && !/^\s*\||^\[[^\]]+\]:/.test(line) && line.trim().includes(' ')
    })
  return (_line, index) => isProse[index] === true
}
