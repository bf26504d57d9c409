import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { expect, it } from 'vitest'
import { readPipSettings } from '../../../../src/server/download/pip/pip-settings.ts'
import { temporaryFolder } from '../fetch-parts.ts'

it('later settings take precedence: system, user, virtual environment, variables', async () => {
  const home = await temporaryFolder()
  const environment: Record<string, string> = { HOME: home, XDG_CONFIG_DIRS: join(home, 'xdg'), VIRTUAL_ENV: join(home, 'venv') }
  const steps: [string, () => Promise<void>][] = [
    ['http://everyone', () => config(home, 'xdg/pip/pip.conf', 'http://everyone')],
    ['http://user', () => config(home, '.config/pip/pip.conf', 'http://user')],
    ['http://venv', () => config(home, 'venv/pip.conf', 'http://venv')],
    [
      'http://variable',
      async () => {
        environment['PIP_INDEX_URL'] = 'http://variable'
      }
    ]
  ]
  for (const [expected, write] of steps) {
    await write()
    expect(await indexes(environment)).toEqual([`${expected}/`])
  }
})

it('prefers the section of the command to the one for all commands', async () => {
  const home = await temporaryFolder()
  await file(
    home,
    '.config/pip/pip.conf',
    '[download]\nindex-url = http://download\n[install]\nindex-url = http://install\n[global]\nindex-url = http://global\n'
  )
  expect(await indexes({ HOME: home, XDG_CONFIG_DIRS: home })).toEqual(['http://download/'])
})

it('reads a file named by PIP_CONFIG_FILE instead of the user’s', async () => {
  const home = await temporaryFolder()
  await config(home, '.config/pip/pip.conf', 'http://user')
  await config(home, 'named.conf', 'http://named')
  expect(await indexes({ HOME: home, XDG_CONFIG_DIRS: home, PIP_CONFIG_FILE: join(home, 'named.conf') })).toEqual(['http://named/'])
  expect(await indexes({ HOME: home, PIP_CONFIG_FILE: '/dev/null' })).toEqual([])
})

it('reads multi-line lists, comments, and keys in any spelling; uses only HTTP URLs', async () => {
  const home = await temporaryFolder()
  const text =
    '# comment\n[global]\n; more\nIndex_URL: https://a.example/simple\nextra-index-url =\n    file:///opt/simple\n    http://user:pw@b.example:81/simple/\ncert = /etc/ca.pem\n'
  await file(home, '.config/pip/pip.conf', text)
  const settings = await readPipSettings({ HOME: home, XDG_CONFIG_DIRS: home })
  expect(settings.indexes.map(String)).toEqual(['https://a.example/simple', 'http://user:pw@b.example:81/simple/'])
  expect(settings.certificateFile).toBe('/etc/ca.pem')
})

it('uses no index if pip must not', async () => {
  expect(await indexes({ PIP_CONFIG_FILE: '/dev/null', PIP_INDEX_URL: 'http://a', PIP_NO_INDEX: '1' })).toEqual([])
})

async function indexes(environment: Record<string, string>): Promise<string[]> {
  return (await readPipSettings(environment)).indexes.map(String)
}

function config(home: string, name: string, index: string): Promise<void> {
  return file(home, name, `[global]\nindex-url = ${index}\n`)
}

async function file(home: string, name: string, text: string): Promise<void> {
  await mkdir(dirname(join(home, name)), { recursive: true })
  await writeFile(join(home, name), text)
}
