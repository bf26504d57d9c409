import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'

const ROOT = join(import.meta.dirname, '..', '..', '..')
const VERSION = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).version

it('shows an overview, and the help of each command', () => {
  const overview = everstream('help')
  expect(overview).toMatchObject({ code: 0, err: '' })
  for (const word of ['serve', 'generate', 'models', 'doctor', 'npm start', '--version']) expect(overview.out).toContain(word)
  expect(everstream('--help').out).toBe(overview.out)

  const serve = everstream('serve', '--port', 'wrong', '--help')
  expect(serve).toMatchObject({ code: 0, err: '' })
  expect(serve.out).toContain('PORT; default: 8000')
  expect(serve.out).not.toContain('--temperature')
  expect(everstream('help', 'serve').out).toBe(serve.out)
  expect(everstream('help', 'generate').out).toContain('TEMPERATURE; default: 0')
  expect(everstream('help', 'doctor').out).toContain('exit code 1')
})

it('prints its version', () => {
  expect(everstream('--version')).toEqual({ code: 0, out: `${VERSION}\n`, err: '' })
})

it('exits with 2 and a line for each mistake, without starting anything', () => {
  const { code, out, err } = everstream('serve', '--prot', '1', '--workers', '65')
  expect({ code, out }).toEqual({ code: 2, out: '' })
  expect(err.trim().split('\n')).toEqual([
    'everstream: unknown option --prot: did you mean --port?',
    'everstream: --workers must be a whole number from 0 to 64, not "65"',
    'everstream: try --help'
  ])
})

it.each([
  [[], 'no command given'],
  [['srve'], 'did you mean serve?'],
  [['constructor'], 'unknown command "constructor"']
])('refuses %j as a command', (argv, message) => {
  const { code, err } = everstream(...argv)
  expect(code).toBe(2)
  expect(err).toContain(message)
})

it('passes arguments and the exit code through the installed command', () => {
  const ended = spawnSync(process.execPath, [join(ROOT, 'bin', 'everstream.mjs'), 'models', 'lst'], { encoding: 'utf8' })
  expect(ended.status).toBe(2)
  expect(ended.stderr).toContain('did you mean list?')
})

function everstream(...argv: string[]): { readonly code: number | null; readonly out: string; readonly err: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(ROOT, 'src', 'server', 'main.ts'), ...argv], {
    encoding: 'utf8',
    env: { NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] }
  })
  return { code: status, out: stdout, err: stderr }
}
