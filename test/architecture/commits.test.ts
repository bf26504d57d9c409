import { spawnSync } from 'node:child_process'
import { expect, it } from 'vitest'

const MAX_COLUMNS = 72
/** The commit after which the rule holds. */
const BASE = '99e1c38'

const missing = whyNoHistory()

it(`keeps the subject of each commit at ${MAX_COLUMNS} columns`, ({ skip }) => {
  if (missing !== null) skip(missing)
  const commits = git('log', '--format=%h\t%s', '--abbrev=7', `${BASE}..HEAD`).split('\n')
  const long = commits.filter(line => (line.split('\t')[1] ?? '').length > MAX_COLUMNS)
  expect(long).toEqual([])
})

function whyNoHistory(): string | null {
  if (git('rev-parse', '--is-inside-work-tree') !== 'true') return 'this is not a git checkout'
  if (git('rev-parse', '--is-shallow-repository') !== 'false') return 'the git history is shallow'
  return git('merge-base', BASE, 'HEAD') === '' ? `commit ${BASE} is not in this history` : null
}

/** The output of a git command; empty where it fails. */
function git(...argv: string[]): string {
  const { status, stdout } = spawnSync('git', argv, { encoding: 'utf8' })
  return status === 0 ? stdout.trim() : ''
}
