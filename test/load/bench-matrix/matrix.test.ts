import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { BenchCase } from '../../../load/bench/bench-case.ts'
import { reportCase } from '../../../load/bench/bench-report.ts'
import type { FileReport } from '../../../load/bench-files/measure-file.ts'
import { MatrixResults } from '../../../load/bench-matrix/matrix-results.ts'
import { matrixTable } from '../../../load/bench-matrix/matrix-table.ts'

const ONE: BenchCase = { kind: 'decode', rows: 1, past: 128, steps: 8 }
const MANY: BenchCase = { kind: 'decode', rows: 32, past: 8192, steps: 8 }

function report(name: string, ours: number[], peer: number[]): FileReport {
  return {
    name,
    date: '2026-12-01T12:00:00.000Z',
    fileBytes: 766_819_360,
    versions: { node: '24.21.0' },
    cases: [reportCase({ what: ONE, ours, between: [], peer })],
    skipped: ['decode 32 x 8192: needs 18.1 GB of memory, 14.4 GB can be used']
  }
}

it('prints ratios of minima with both minima, and why a cell is empty', () => {
  const first = report('a', [40, 50], [30, 20])
  const second = { ...report('b', [10], []), cases: [ONE, MANY].map(what => reportCase({ what, ours: [10], between: [], peer: [] })) }
  expect(
    matrixTable([
      { label: '1b Q4_0', report: first },
      { label: '1b F16', report: second },
      { label: '8b Q2_K', missing: 'not supported' }
    ])
  ).toBe(
    [
      '| model | GB | decode 1 x 128 | decode 32 x 8192 |',
      '| --- | --- | --- | --- |',
      '| 1b Q4_0 | 0.77 | 0.5 (40 : 20) | no memory |',
      '| 1b F16 | 0.77 | 10 | 10 |',
      '| 8b Q2_K |  | not supported |  |'
    ].join('\n')
  )
})

it('continues with what a file of results has, and refuses results of other options', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'matrix-'))
  try {
    const path = join(folder, 'results.json')
    const settings = { cpu: 'some', threads: 2 }
    const finished = report('random-1b-Q4_0-v1', [40], [20])
    await (await MatrixResults.open(path, settings)).add(finished)
    const results = await MatrixResults.open(path, settings)
    expect(results.of('random-1b-Q4_0-v1')).toEqual(finished)
    expect(results.of('random-1b-Q8_0-v1')).toBeNull()
    expect(await readdir(folder)).toEqual(['results.json'])
    await expect(MatrixResults.open(path, { ...settings, threads: 4 })).rejects.toThrow('was measured with another threads')
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
