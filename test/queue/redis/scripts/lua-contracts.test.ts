import { globSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { SCRIPTS } from '../../../../src/queue/redis/connection/commands.ts'

const FOLDER = 'src/queue/redis/scripts'
const COMMANDS_FILE = readFileSync('src/queue/redis/connection/commands.ts', 'utf8')

const FILES = globSync(`${FOLDER}/*.lua`).sort()
const isInclude = (file: string): boolean => readFileSync(file, 'utf8').startsWith('-- Include')

/** `hand-back.lua` is the command `streamHandBack`. */
function commandOf(file: string): string {
  const words = file.slice(FOLDER.length + 1, -'.lua'.length).split('-')
  return `stream${words.map(word => `${word.charAt(0).toUpperCase()}${word.slice(1)}`).join('')}`
}

/** The comment lines at the head of a file, and the code after them. */
function partsOf(file: string): { readonly header: string[]; readonly code: string } {
  const lines = readFileSync(file, 'utf8').split('\n')
  const end = lines.findIndex(line => !line.startsWith('--'))
  const header = lines.slice(0, end).filter(line => !line.startsWith('-- @include'))
  return { header, code: lines.slice(end).join('\n').replace(/--.*/g, '') }
}

/** `KEYS[1]  request  …` of the header: `['KEYS[1]', 'request']`. */
function declaredIn(header: readonly string[]): [expression: string, name: string][] {
  return header.flatMap(line => {
    const [, expression, name] = /^-- ((?:KEYS|ARGV)\[[^\]]+\]) +(\w+)/.exec(line) ?? []
    return expression === undefined || name === undefined ? [] : [[expression, name] as [string, string]]
  })
}

/** `local request, id = KEYS[1], ARGV[1]` of the code: `['KEYS[1]', 'request'], ['ARGV[1]', 'id']`. */
function namedIn(code: string): [expression: string, name: string][] {
  return [...code.matchAll(/^ *local ([\w, ]+) = (.*)$/gm)].flatMap(([, names = '', values = '']) => {
    const expressions = values.split(', ')
    return names.split(', ').flatMap((name, index) => {
      const [expression] = /(?:KEYS|ARGV)\[[^\]]+\]/.exec(expressions[index] ?? '') ?? []
      return expression === undefined ? [] : [[expression, name] as [string, string]]
    })
  })
}

const returnsIn = (header: readonly string[]): string[] =>
  header.flatMap(line => /^-- Returns (\{.*?\}|\S+)/.exec(line)?.[1] ?? []).filter(value => value !== 'nothing')

/** Names of the parameters of a command in its TypeScript declaration; rest parameters stand for any number. */
function parametersOf(command: string): string[] {
  const [, list = ''] =
    new RegExp(`\\b${command}\\(([^)]*)\\): Result`).exec(COMMANDS_FILE.replaceAll(/\(string \| number\)/g, 'any')) ?? []
  return [...list.matchAll(/(\.{0,3})(\w+):/g)].map(([, rest, name]) => `${rest}${name}`)
}

it('registers each script under the name of its file, and nothing else', () => {
  const scripts = FILES.filter(file => !isInclude(file))
  expect(scripts.map(commandOf).sort()).toEqual(Object.keys(SCRIPTS).sort())
  for (const { lua } of Object.values(SCRIPTS)) expect(lua).not.toContain('-- @include')
})

it('includes each shared file somewhere', () => {
  for (const file of FILES.filter(isInclude)) {
    const text = readFileSync(file, 'utf8')
    expect(Object.values(SCRIPTS).some(({ lua }) => lua.includes(text))).toBe(true)
  }
})

describe.each(FILES.filter(file => !isInclude(file)).map(file => [file]))('the contract of %s', file => {
  const { header, code } = partsOf(file)
  const { numberOfKeys } = SCRIPTS[commandOf(file)] ?? {}
  const declared = declaredIn(header)

  it('begins with a sentence on what the script does', () => {
    expect(header[0]).toMatch(/^-- [A-Z].{20,}/)
  })

  it('lists the registered number of keys, in order', () => {
    const keys = declared.flatMap(([expression]) => (expression.startsWith('KEYS') ? [expression] : []))
    expect(keys).toEqual(numberOfKeys === undefined ? ['KEYS[n]'] : Array.from({ length: numberOfKeys }, (_, at) => `KEYS[${at + 1}]`))
  })

  it('names every key and argument as the code does, and the code uses each exactly once: to name it', () => {
    expect(namedIn(code).sort()).toEqual([...declared].sort())
    const used = [...code.matchAll(/(?:KEYS|ARGV)\[[^\]]+\]/g)].map(([expression]) => expression)
    expect(used.sort()).toEqual(declared.map(([expression]) => expression).sort())
  })

  it('leaves no gap between the arguments', () => {
    const indices = declared.flatMap(([expression]) => /^ARGV\[(\d+)\]$/.exec(expression)?.[1] ?? []).map(Number)
    expect(indices).toEqual(indices.map((_, at) => at + 1))
  })

  it('lists every value that the code returns, and no other', () => {
    const returned = [...code.matchAll(/\breturn (\{.*?\}|\S+)/g)].map(([, value = '']) => value)
    expect([...new Set(returned)].sort()).toEqual(returnsIn(header).sort())
  })

  // The one command with any number of keys takes them, and its arguments, as one list.
  if (numberOfKeys === undefined) return
  it('names keys and arguments as the TypeScript declaration does', () => {
    const names = declared.map(([expression, name]) => (expression === 'ARGV[n]' ? `...${name}` : name))
    expect(parametersOf(commandOf(file))).toEqual(names)
  })
})
