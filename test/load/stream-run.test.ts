import { expect, it } from 'vitest'
import { parseStreamOptions, type StreamOptions } from '../../load/stream/stream-options.ts'
import { type StreamReport, streamRun } from '../../load/stream/stream-run.ts'
import { type FakeBehaviour, fakeServer } from './fake-server.ts'

it('counts responses, tokens and latencies', async () => {
  const { report } = await loadOn({ gapMs: 2 }, '--clients 4 --max-tokens 8')
  const level = report.levels[0]
  expect(report).toMatchObject({ passed: true, model: 'fake', check: null, memory: null })
  expect(level).toMatchObject({ clients: 4, errors: 0 })
  expect(level?.requests).toBeGreaterThan(4)
  expect(level?.tokensPerSecond).toBeGreaterThan(8)
  expect(level?.ttftMs?.p50).toBeGreaterThan(0)
  expect(level?.interTokenMs?.p99).toBeGreaterThanOrEqual(level?.interTokenMs?.p50 ?? 0)
})

it('runs the levels one after the other', async () => {
  const { report } = await loadOn({}, '--clients 1,3 --max-tokens 2')
  expect(report.levels.map(level => level.clients)).toEqual([1, 3])
})

it('finds all texts equal on a deterministic server', async () => {
  const { report, emitted } = await loadOn({}, '--clients 4 --max-tokens 4 --check --cases 6')
  expect(report.check).toMatchObject({ cases: 6, different: 0 })
  expect(report.check?.compared).toBeGreaterThan(6)
  expect(report.passed).toBe(true)
  expect(emitted.join('\n')).toContain('6 requests sent alone')
})

it('finds a text that differs from its solo run, and shows the difference', async () => {
  const tokens: FakeBehaviour['tokens'] = (_body, request) => ['the same', request === 7 ? ' but not here' : ' to the end']
  const { report, emitted } = await loadOn({ tokens }, '--clients 2 --check --cases 4')
  expect(report.check?.different).toBe(1)
  expect(report.passed).toBe(false)
  expect(emitted.join('\n')).toMatch(/differs at character 9: alone .*to the end.*under load .*but not here/)
})

it.each([
  { fault: 'refuse', kind: 'http 503' },
  { fault: 'cut', kind: 'cut short' },
  { fault: 'error event', kind: 'stream engine_failure' }
] as const)('counts a failed stream: $fault', async ({ fault, kind }) => {
  const { report } = await loadOn({ fault: request => (request === 2 ? fault : null) }, '--clients 2 --max-tokens 4')
  expect(report.levels[0]).toMatchObject({ errors: 1, errorsByKind: { [kind]: 1 } })
  expect(report.passed).toBe(false)
})

it('watches the memory of a process', async () => {
  const { report } = await loadOn({}, `--clients 1 --pid ${process.pid}`)
  expect(report.memory?.mebibytesByMinute).toHaveLength(1)
  expect(report.memory?.peakMebibytes).toBeGreaterThan(10)
  expect(report.memory?.flatAfterFirstMinute).toBeNull()
})

async function loadOn(behaviour: FakeBehaviour, args: string): Promise<{ report: StreamReport; emitted: readonly string[] }> {
  await using server = await fakeServer(behaviour)
  const options = parseStreamOptions(['--url', server.url, '--minutes', '0.006', ...args.split(' ')]) as StreamOptions
  const emitted: string[] = []
  const report = await streamRun(options, new AbortController().signal, line => emitted.push(line))
  return { report, emitted }
}
