import { expect, it } from 'vitest'
import { optionsHelp } from '../../../src/server/commands/help.ts'
import { flagOf, OPTIONS, type OptionKey, variableOf } from '../../../src/server/config/options.ts'

const KEYS = Object.keys(OPTIONS) as OptionKey[]

it('shows every option with its variable and its default, in lines of at most 100 characters', () => {
  const help = optionsHelp(KEYS)
  for (const key of KEYS) {
    expect(help).toMatch(new RegExp(`^  --${flagOf(key)}( |$)`, 'm'))
    expect(help).toContain(variableOf(key))
  }
  expect(help).toContain('PORT; default: 8000')
  expect(Math.max(...help.split('\n').map(line => line.length))).toBeLessThanOrEqual(100)
})

it('shows only the named options', () => {
  const help = optionsHelp(['modelsFolder'])
  expect(help).toContain('--models-folder')
  expect(help).not.toContain('--port')
})
