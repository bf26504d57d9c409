import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { ModelRunner } from '../../../src/inference/contract/model-runner.ts'
import { openModelRunner } from '../../../src/inference/runtime/onnx-model-runner.ts'
import { SLOW_LLAMA, type TinyGraph, tinyGraph, tokens } from './open-tiny.ts'

const CHUNK = tokens(512)
const LAST = [511]

let graph: TinyGraph
let runner: ModelRunner
beforeAll(async () => {
  graph = await tinyGraph(SLOW_LLAMA)
  runner = await openModelRunner(graph.options)
})
afterAll(async () => {
  runner.close()
  await graph[Symbol.asyncDispose]()
})

it('does not block the event loop while a run is in flight', async () => {
  let turns = 0
  let isOver = false
  const run = runner.prefill(0, 0, CHUNK, LAST).finally(() => {
    isOver = true
  })
  while (!isOver) {
    await nextTurn()
    turns++
  }
  await run
  // A blocking run would allow one or two turns; this one takes milliseconds and a turn microseconds.
  expect(turns).toBeGreaterThan(20)
})

it('ends the run in flight on terminate, and computes the next one as usual', async () => {
  const expected = (await runner.prefill(0, 0, CHUNK, LAST)).slice()
  const run = runner.prefill(0, 0, CHUNK, LAST)
  runner.terminate()
  await expect(run).rejects.toMatchObject({ name: 'ServiceError', code: 'engine_failure', message: expect.stringMatching(/terminat/i) })
  expect(await runner.prefill(0, 0, CHUNK, LAST)).toEqual(expected)
})

it('ends a run that has begun, not only one that has not', async () => {
  const started = performance.now()
  await runner.prefill(0, 0, CHUNK, LAST)
  const wholeMs = performance.now() - started

  /** Terminates after an eighth of a run. If this process is stalled here, the run may complete. */
  async function attempt(): Promise<'done' | 'ended'> {
    const run = runner.prefill(0, 0, CHUNK, LAST).then(
      () => 'done' as const,
      () => 'ended' as const
    )
    const restarted = performance.now()
    while (performance.now() - restarted < wholeMs / 8) await nextTurn()
    runner.terminate()
    return run
  }

  let outcome = await attempt()
  for (let tries = 1; outcome === 'done' && tries < 20; tries++) outcome = await attempt()
  expect(outcome).toBe('ended')
})

it('keeps the content of the cache when a later run is terminated', async () => {
  const prompt = tokens(300, 4)
  const rest = tokens(200, 6)
  await runner.prefill(0, 0, prompt, [])
  await runner.prefill(1, 0, prompt, [])
  const [left, right] = [(await runner.prefill(0, 300, rest, [199])).slice(), (await runner.decode([3, 3], [300, 300])).slice()]
  let ended = 0
  for (let attempt = 0; attempt < 12; attempt++) {
    const run = attempt % 2 === 0 ? runner.prefill(0, 300, tokens(500, 9), []) : runner.decode([8, 9], [300, 300])
    runner.terminate()
    // A decode step is short: sometimes it completes before it can be terminated.
    await run.catch(() => {
      ended++
    })
    expect(await runner.prefill(0, 300, rest, [199])).toEqual(left)
    expect(await runner.decode([3, 3], [300, 300])).toEqual(right)
  }
  expect(ended).toBeGreaterThan(0)
})

it('ignores a terminate between runs', async () => {
  runner.terminate()
  expect(await runner.prefill(0, 0, CHUNK, LAST)).toHaveLength(SLOW_LLAMA.vocabulary)
})

it('runs two runners in one process at the same time, each with its own cache', async () => {
  const other = await openModelRunner(graph.options)
  const expected = (await runner.prefill(0, 0, CHUNK, LAST)).slice()
  const [left, right] = await Promise.all([runner.prefill(0, 0, CHUNK, LAST), other.prefill(3, 0, CHUNK, LAST)])
  expect(left).toEqual(expected)
  expect(right).toEqual(expected)
  other.close()
  expect(await runner.prefill(0, 0, CHUNK, LAST)).toEqual(expected)
})
