import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { flagOf, OPTIONS, type OptionKey } from '../../src/server/config/options.ts'
import { FAULT_HELP } from '../faults/fault-options.ts'
import { codesIn, rowsOf } from './markdown-tables.ts'

const PAGE = 'docs/streams.md'

it.each([PAGE, 'docs/api.md'])('%s names only options that exist', page => {
  const flags = new Set([...(Object.keys(OPTIONS) as OptionKey[]).map(key => `--${flagOf(key)}`), ...flagsIn(FAULT_HELP)])
  expect(flagsIn(readFileSync(page, 'utf8')).filter(flag => !flags.has(flag))).toEqual([])
})

it('lists the options of the fault run', () => {
  const received = rowsOf(PAGE, 'option').flatMap(([option]) => codesIn(option))
  expect([...received, '--help'].toSorted()).toEqual([...new Set(flagsIn(FAULT_HELP))].toSorted())
})

it('states the defaults of the server', () => {
  const page = readFileSync(PAGE, 'utf8')
  for (const key of ['stepTimeoutSeconds', 'drainSeconds', 'resumeGraceSeconds', 'streamRetentionSeconds'] as const) {
    expect(page).toContain(`\`--${flagOf(key)}\` (${OPTIONS[key].fallback})`)
  }
})

function flagsIn(text: string): string[] {
  return Array.from(text.matchAll(/(?<![\w-])--[a-z][a-z-]*/g), ([flag]) => flag)
}
