import { readFile, stat, truncate, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ServiceError } from '../../../src/inference/contract/errors.ts'
import { InvariantError } from '../../../src/inference/contract/invariant.ts'
import { BLOCK_TOKENS, type ModelRunner } from '../../../src/inference/contract/model-runner.ts'
import { DATA_FILE } from '../../../src/inference/graph/graph-plan.ts'
import { MAX_CHUNK_TOKENS, type ModelRunnerOptions, openModelRunner } from '../../../src/inference/runtime/onnx-model-runner.ts'
import { SLOW_LLAMA, type TinyGraph, tinyGraph, tokens } from './open-tiny.ts'

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

const { context, vocabulary } = SLOW_LLAMA

describe('calls that violate the contract never reach native code', () => {
  const FORBIDDEN: [string, (runner: ModelRunner) => Promise<unknown>][] = [
    ['a batch of no rows', runner => runner.decode([], [])],
    ['more rows than there are', runner => runner.decode([1, 1, 1, 1, 1], [1, 1, 1, 1, 1])],
    ['tokens without pasts', runner => runner.decode([1, 1], [1])],
    ['a decode step without a past', runner => runner.decode([1], [0])],
    ['a decode step after a full context', runner => runner.decode([1], [context])],
    ['a prefill of nothing', runner => runner.prefill(0, 0, [], [])],
    ['a single token after a past', runner => runner.prefill(0, 4, [1], [0])],
    ['the spare row', runner => runner.prefill(4, 0, [1, 2], [])],
    ['a negative row', runner => runner.prefill(-1, 0, [1, 2], [])],
    ['a negative past', runner => runner.prefill(0, -1, [1, 2], [])],
    ['positions beyond the context', runner => runner.prefill(0, context - 1, [1, 2], [])],
    ['a chunk larger than a run takes', runner => runner.prefill(0, 0, tokens(MAX_CHUNK_TOKENS + 1), [])],
    ['logits of a token that there is not', runner => runner.prefill(0, 0, [1, 2], [2])],
    ['logits out of order', runner => runner.prefill(0, 0, [1, 2], [1, 0])],
    ['logits requested twice', runner => runner.prefill(0, 0, [1, 2], [1, 1])],
    ['a token outside the vocabulary', runner => runner.prefill(0, 0, [1, vocabulary], [])],
    ['a negative token', runner => runner.decode([-1], [1])]
  ]

  it.each(FORBIDDEN)('%s', async (_, misuse) => {
    await expect(misuse(runner)).rejects.toThrow(InvariantError)
  })

  it('copies and releases of rows or positions that do not exist', () => {
    expect(() => runner.copyRow(0, 5, 1)).toThrow(InvariantError)
    expect(() => runner.copyRow(-1, 0, 1)).toThrow(InvariantError)
    expect(() => runner.copyRow(0, 1, context + 1)).toThrow(InvariantError)
    expect(() => runner.releaseRow(5)).toThrow(InvariantError)
  })

  it('blocks of positions that do not exist, and blocks that do not exist', () => {
    const { blocks } = runner
    expect(() => runner.saveBlock(0, -1, 0)).toThrow(InvariantError)
    expect(() => runner.saveBlock(0, context - BLOCK_TOKENS + 1, 0)).toThrow(InvariantError)
    expect(() => runner.saveBlock(5, 0, 0)).toThrow(InvariantError)
    expect(() => runner.saveBlock(0, 0, blocks)).toThrow(InvariantError)
    expect(() => runner.loadBlock(-1, 0, 0)).toThrow(InvariantError)
    expect(() => runner.loadBlock(0, 0, 0.5)).toThrow(InvariantError)
    expect(() => runner.releaseBlock(blocks)).toThrow(InvariantError)
  })
})

it('rejects everything except terminate while a run is in flight, and the run is unaffected', async () => {
  const expected = (await runner.prefill(0, 0, tokens(400), [399])).slice()
  const run = runner.prefill(0, 0, tokens(400), [399])
  await expect(runner.prefill(1, 0, tokens(100, 5), [0])).rejects.toThrow(InvariantError)
  await expect(runner.decode([1], [3])).rejects.toThrow(InvariantError)
  expect(() => runner.copyRow(1, 0, 400)).toThrow(InvariantError)
  expect(() => runner.releaseRow(0)).toThrow(InvariantError)
  expect(() => runner.saveBlock(0, 0, 0)).toThrow(InvariantError)
  expect(() => runner.loadBlock(0, 0, 0)).toThrow(InvariantError)
  expect(() => runner.releaseBlock(0)).toThrow(InvariantError)
  expect(() => runner.close()).toThrow(InvariantError)
  expect(await run).toEqual(expected)
})

it('rejects everything after close, and logits still held by a caller become empty', async () => {
  const closed = await openModelRunner(graph.options)
  const logits = await closed.prefill(0, 0, [1, 2], [0, 1])
  expect(logits).toHaveLength(2 * vocabulary)
  closed.close()
  expect(logits).toHaveLength(0)
  await expect(closed.decode([1], [2])).rejects.toThrow(InvariantError)
  expect(() => closed.close()).toThrow(InvariantError)
  closed.terminate()
})

describe('a graph that cannot be served', () => {
  it('is missing', async () => {
    const open = openModelRunner({ ...graph.options, graphPath: `${graph.options.graphPath}.gone` })
    await expect(open).rejects.toThrow(ServiceError)
    await expect(open).rejects.toMatchObject({ code: 'engine_failure', message: expect.stringContaining('gone') })
  })

  it('is not a graph', async () => {
    const open = openModelRunner({ ...graph.options, graphPath: new URL(import.meta.url).pathname })
    await expect(open).rejects.toMatchObject({ code: 'engine_failure' })
  })

  it.each(['the graph', 'the weights'])('is truncated: %s', async part => {
    await using damaged = await tinyGraph()
    const { graphPath } = damaged.options
    const file = part === 'the graph' ? graphPath : join(dirname(graphPath), DATA_FILE)
    const { size } = await stat(file)
    for (const length of [size - 1, size >> 1, 1, 0]) {
      await truncate(file, length)
      await expect(openModelRunner(damaged.options)).rejects.toMatchObject({ code: 'engine_failure' })
    }
  })

  it('has a flipped bit: it is rejected or runs, and the process survives', async () => {
    await using damaged = await tinyGraph()
    const { graphPath } = damaged.options
    const whole = await readFile(graphPath)
    for (let flip = 0; flip < 60; flip++) {
      const bytes = Buffer.from(whole)
      const index = (flip * 7919) % bytes.length
      bytes.writeUInt8(bytes.readUInt8(index) ^ (1 << (flip % 8)), index)
      await writeFile(graphPath, bytes)
      await expect(useOnce(damaged.options)).resolves.toMatch(/^(it runs|engine_failure)$/)
    }
  })

  it('has more layers, or fewer, than declared', async () => {
    for (const layers of [SLOW_LLAMA.layers + 1, SLOW_LLAMA.layers - 1]) {
      await expect(openModelRunner({ ...graph.options, layers })).rejects.toMatchObject({ code: 'engine_failure' })
    }
  })

  it('has other heads than declared: the first run fails', async () => {
    const other = await openModelRunner({ ...graph.options, kvHeads: SLOW_LLAMA.kvHeads + 1 })
    await expect(other.prefill(0, 0, [1, 2], [])).rejects.toMatchObject({ code: 'engine_failure' })
    other.close()
  })

  it('needs more cache than there are addresses', async () => {
    await expect(openModelRunner({ ...graph.options, slots: 2 ** 36 })).rejects.toMatchObject({ code: 'engine_failure' })
  })
})

async function useOnce(options: ModelRunnerOptions): Promise<string> {
  try {
    const opened = await openModelRunner(options)
    try {
      await opened.prefill(0, 0, [1, 2, 3], [2])
      await opened.decode([1], [3])
      return 'it runs'
    } finally {
      opened.close()
    }
  } catch (error) {
    return error instanceof ServiceError ? error.code : String(error)
  }
}
