import { expect, it } from 'vitest'
import { optionsHelp } from '../../../src/server/config/help.ts'
import { flagOf, OPTIONS, type OptionKey, variableOf } from '../../../src/server/config/options.ts'

const KEYS = Object.keys(OPTIONS) as OptionKey[]

it('names every option, its variable and its default, in lines that fit a terminal', () => {
  const help = optionsHelp(KEYS)
  for (const key of KEYS) {
    expect(help).toMatch(new RegExp(`^  --${flagOf(key)}( |$)`, 'm'))
    expect(help).toContain(variableOf(key))
  }
  expect(help).toContain('PORT; default: 8000')
  expect(Math.max(...help.split('\n').map(line => line.length))).toBeLessThanOrEqual(100)
})

it('shows what is asked for only', () => {
  const help = optionsHelp(['modelsFolder'])
  expect(help).toContain('--models-folder')
  expect(help).not.toContain('--port')
})
