import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { GraphBuilder } from '../../../src/inference/graph/graph-builder.ts'
import { MODEL_FILE } from '../../../src/inference/graph/graph-plan.ts'
import { WeightNodes } from '../../../src/inference/graph/weight-nodes.ts'
import type { WeightSource } from '../../../src/inference/graph/weight-source.ts'
import { writeDataHere, writeGraph } from '../../../src/inference/graph/write-graph.ts'
import { multipliesSigned, processorFlags } from '../../../src/inference/model/calibration/processor.ts'
import { toPerChannel } from '../../../src/inference/weights/quantization/per-channel.ts'

const INPUTS = 96
const OUTPUTS = 40
const EXACT = [3, 17, 95]
const QUERY_ROWS = 8
const QUERY_FACTOR = 0.25

/** The forms that this processor computes without saturation. */
const FORMS = multipliesSigned(await processorFlags()) ? (['int8', 'uint8'] as const) : (['uint8'] as const)

let folder: string
const sessions = new Map<string, InferenceSession>()
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'row-quantized-'))
  for (const codes of FORMS) sessions.set(codes, await open(codes))
})
afterAll(async () => {
  for (const session of sessions.values()) await session.release()
  await rm(folder, { recursive: true })
})

async function open(codes: 'int8' | 'uint8'): Promise<InferenceSession> {
  const builder = new GraphBuilder()
  builder.input('x', 'float32', ['M', INPUTS])
  const nodes = new WeightNodes(builder, source, 'eightBit', { exactChannels: new Map([['x', EXACT]]), codes })
  nodes.scaleQueries('first', QUERY_ROWS, QUERY_FACTOR)
  nodes.linear('y', 'x', ['first', 'second'])
  builder.output('y', 'float32', ['M', 2 * OUTPUTS])
  const plan = builder.finish('test')
  const target = join(folder, codes)
  await mkdir(target)
  await writeGraph(target, plan, writeDataHere(plan, source))
  return InferenceSession.create(join(target, MODEL_FILE), { intraOpNumThreads: 1 })
}

function weight(name: string, index: number): number {
  return Math.fround(Math.sin(index * 12.9898 + (name === 'first' ? 1 : 2)) * (1 + (index % 5)))
}

const source: WeightSource = {
  info: name =>
    /^(first|second)$/.test(name) ? { rows: OUTPUTS, columns: INPUTS, blockElements: 32, hasZeroPoints: false, fourBit: null } : null,
  float32: async (name, first, rows) => Float32Array.from({ length: rows * INPUTS }, (_, i) => weight(name, first * INPUTS + i)),
  eightBit: () => Promise.reject(new Error('no matrix is in 8-bit blocks here')),
  fourBit: () => Promise.reject(new Error('no matrix is in 4 bits here')),
  perChannel: async (name, first, rows, exact) => toPerChannel(await source.float32(name, first, rows), INPUTS, exact)
}

async function run(codes: (typeof FORMS)[number], rows: readonly (readonly number[])[]): Promise<number[][]> {
  const outputs = await sessions.get(codes)?.run({ x: new Tensor('float32', Float32Array.from(rows.flat()), [rows.length, INPUTS]) })
  const y = outputs?.['y']
  const values = y?.data as Float32Array
  return rows.map((_, row) => [...values.subarray(row * 2 * OUTPUTS, (row + 1) * 2 * OUTPUTS)])
}

/** The same product, written as plainly as possible. */
function specified(x: readonly number[], output: number): number {
  const [name, row] = output < OUTPUTS ? ['first', output] : ['second', output - OUTPUTS]
  const weights = Array.from({ length: INPUTS }, (_, column) => weight(name, row * INPUTS + column))
  const inner = [...weights.keys()].filter(column => !EXACT.includes(column))
  const peak = Math.max(1e-30, ...inner.map(column => Math.abs(x[column] ?? 0)))
  const scale = Math.max(...inner.map(column => Math.abs(weights[column] ?? 0))) / 127
  let sum = 0
  for (const column of inner) {
    const code = Math.min(127, Math.round(((x[column] ?? 0) * 127) / peak))
    sum += (code * peak * Math.round((weights[column] ?? 0) / scale) * scale) / 127
  }
  for (const column of EXACT) sum += (x[column] ?? 0) * (weights[column] ?? 0)
  return name === 'first' && row < QUERY_ROWS ? sum * QUERY_FACTOR : sum
}

const VALUE = fc.double({ min: -4, max: 4, noNaN: true }).map(Math.fround)
const ROW = fc
  .tuple(fc.array(VALUE, { minLength: INPUTS, maxLength: INPUTS }), fc.constantFrom(1, 0, 300))
  // Channels that are kept exact are as large as the outliers of real models.
  .map(([row, outlier]) => row.map((value, column) => (EXACT.includes(column) ? value * outlier : value)))

describe.each(FORMS)('%s weights', codes => {
  it('are multiplied by rounded rows, and exact channels exactly', async () => {
    await fc.assert(
      fc.asyncProperty(ROW, async row => {
        const [computed = []] = await run(codes, [row])
        const largest = Math.max(...row.map(Math.abs), 1e-20)
        for (const [output, value] of computed.entries()) {
          // A value half-way between two codes may be rounded to either: one step of one input.
          expect(Math.abs(value - specified(row, output))).toBeLessThan(largest * 0.06)
        }
      }),
      { numRuns: 50 }
    )
  })

  it('give the same bits as unsigned ones, and for a row alone as among any other rows', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(ROW, { minLength: 2, maxLength: 9 }), async rows => {
        const together = await run(codes, rows)
        expect(together).toEqual(await run('uint8', rows))
        for (const [index, row] of rows.entries()) expect(await run(codes, [row])).toEqual([together[index]])
      }),
      { numRuns: 50 }
    )
  })

  it('give zeros for a row of zeros', async () => {
    expect(await run(codes, [new Array(INPUTS).fill(0)])).toEqual([new Array(2 * OUTPUTS).fill(0)])
  })
})
