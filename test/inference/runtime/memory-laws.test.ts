import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { ModelRunner } from '../../../src/inference/contract/model-runner.ts'
import { openModelRunner } from '../../../src/inference/runtime/onnx-model-runner.ts'
import { SLOW_LLAMA, type TinyGraph, tinyGraph, tokens } from './open-tiny.ts'

const MEBIBYTE = 2 ** 20

let graph: TinyGraph
beforeAll(async () => {
  graph = await tinyGraph()
})
afterAll(() => graph[Symbol.asyncDispose]())

it('does not grow over 25,000 runs', async () => {
  const script = fileURLToPath(new URL('endurance.ts', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', script, '5000', JSON.stringify(graph.options)])
  const growths: number[] = JSON.parse(stdout)
  expect(growths).toHaveLength(5)
  // A leak shows in every round, variations of the allocator and of V8 only in some. One leaked tensor per prefill is
  // 500 KiB a round.
  expect(Math.min(...growths)).toBeLessThan(MEBIBYTE / 4)
}, 60_000)

it('copies nothing that grows with the size of the cache: a step costs the same in a small and in a huge one', async () => {
  const small = await openModelRunner({ ...graph.options, contextLength: 256 })
  const huge = await openModelRunner({ ...graph.options, contextLength: 32_768 })
  const timesMs = new Map<ModelRunner, number[]>([
    [small, []],
    [huge, []]
  ])
  for (const runner of timesMs.keys()) for (let row = 0; row < 4; row++) await runner.prefill(row, 0, tokens(100), [])
  const before = process.memoryUsage.rss()
  for (let step = 0; step < 150; step++) {
    for (const [runner, times] of timesMs) {
      const started = performance.now()
      await runner.decode([1, 2, 3, 4], [100, 100, 100, 100])
      times.push(performance.now() - started)
    }
  }
  const [smallMs, hugeMs] = [...timesMs.values()].map(times => times.sort((left, right) => left - right)[75] ?? 0)
  // A step that clears or copies its cache touches 64 MiB here, which takes at least 10 ms instead of 0.1 ms.
  expect(hugeMs).toBeLessThan(2 * (smallMs ?? 0) + 0.5)
  expect(process.memoryUsage.rss() - before).toBeLessThan(16 * MEBIBYTE)
  small.close()
  huge.close()
})

it('retains no memory per chunk length', async () => {
  await using slow = await tinyGraph(SLOW_LLAMA)
  const runner = await openModelRunner(slow.options)
  for (const length of [512, 2, 511, 3, 300]) await runner.prefill(0, 0, tokens(length), [])
  const before = process.memoryUsage.rss()
  for (let index = 0; index < 40; index++) await runner.prefill(0, 0, tokens(2 + ((index * 53) % 511)), [])
  expect(process.memoryUsage.rss() - before).toBeLessThan(12 * MEBIBYTE)
  runner.close()
})

it.runIf(process.platform === 'linux')('frees the cache that was reserved for a graph that is then rejected', async () => {
  const open = () => openModelRunner({ ...graph.options, layers: 3, contextLength: 2 ** 20 })
  await expect(open()).rejects.toMatchObject({ code: 'engine_failure' })
  const before = await addressedPages()
  for (let attempt = 0; attempt < 8; attempt++) await expect(open()).rejects.toMatchObject({ code: 'engine_failure' })
  // One cache reserves 3.75 GiB of addresses.
  expect((await addressedPages()) - before).toBeLessThan(2 ** 31 / 4096)
})

async function addressedPages(): Promise<number> {
  return Number((await readFile('/proc/self/statm', 'utf8')).split(' ')[0])
}
