import fc from 'fast-check'
import { afterEach, expect, it, vi } from 'vitest'
import { RowHeaders, rowKey } from '../../../src/inference/cache/row-headers.ts'
import { ROW_HEADER_BYTES } from '../../../src/inference/contract/model-runner.ts'

const ROWS = 4
const IDENTITY = 'a model of a shape'

const anyRow = fc.nat(ROWS - 1)
const anyWrite = fc.oneof(
  fc.record({ kind: fc.constant('assign' as const), row: anyRow, choice: fc.nat(3), computed: fc.integer({ min: 0, max: 2 ** 31 - 1 }) }),
  fc.record({ kind: fc.constant('advance' as const), row: anyRow, by: fc.integer({ min: 1, max: 512 }) }),
  fc.record({ kind: fc.constant('clear' as const), row: anyRow }),
  fc.record({ kind: fc.constant('begin' as const) })
)

/** The true content of a row. */
interface Written {
  readonly key: string
  readonly computed: number
}

class Killed extends Error {}

afterEach(() => vi.restoreAllMocks())

/** The process dies before its store number `stores`. */
function dieAt(stores: number): void {
  const store = Atomics.store.bind(Atomics)
  let left = stores
  vi.spyOn(Atomics, 'store').mockImplementation(((words: Int32Array, index: number, value: number) => {
    if (left-- === 0) throw new Killed()
    return store(words, index, value)
  }) as typeof Atomics.store)
}

it('never counts a position that is missing, for any writes and any time of a kill', () => {
  fc.assert(
    fc.property(fc.array(anyWrite, { maxLength: 30 }), fc.nat(250), (writes, stores) => {
      const bytes = new ArrayBuffer(ROW_HEADER_BYTES * (ROWS + 1))
      const headers = new RowHeaders(bytes, ROWS)
      headers.begin(IDENTITY)
      const truth: (Written | null)[] = new Array<null>(ROWS).fill(null)
      /** After an interrupted write, both the state before and the state after it are valid. */
      const before: (Written | null)[] = [...truth]
      dieAt(stores)
      try {
        for (const write of writes) {
          truth.forEach((one, row) => {
            before[row] = one
          })
          if (write.kind === 'assign') {
            const key = rowKey('request', write.choice)
            truth[write.row] = { key, computed: write.computed }
            headers.assign(write.row, key, write.computed)
          } else if (write.kind === 'advance') {
            const one = truth[write.row]
            if (one == null || one.computed === 0) continue
            truth[write.row] = { ...one, computed: Math.min(one.computed + write.by, 2 ** 31 - 1) }
            headers.advance(write.row, truth[write.row]?.computed ?? 0)
          } else if (write.kind === 'clear') {
            truth[write.row] = null
            headers.clear(write.row)
          } else {
            truth.fill(null)
            headers.begin(IDENTITY)
          }
        }
      } catch (error) {
        if (!(error instanceof Killed)) throw error
      }
      vi.restoreAllMocks()
      const successor = new RowHeaders(bytes, ROWS)
      for (const { row, key, computed } of successor.belongsTo(IDENTITY) ? successor.entries() : []) {
        expect([truth[row], before[row]]).toContainEqual({ key, computed })
      }
    }),
    { numRuns: 500 }
  )
})

it('contains all written entries for a successor', () => {
  const bytes = new ArrayBuffer(ROW_HEADER_BYTES * (ROWS + 1))
  const headers = new RowHeaders(bytes, ROWS)
  headers.begin(IDENTITY)
  headers.assign(2, rowKey('r', 0), 5)
  headers.assign(0, rowKey('r', 1), 7)
  headers.advance(2, 6)
  headers.assign(3, rowKey('s', 0), 9)
  headers.clear(3)
  const successor = new RowHeaders(bytes, ROWS)
  expect(successor.belongsTo(IDENTITY)).toBe(true)
  expect(successor.entries()).toEqual([
    { row: 0, key: rowKey('r', 1), computed: 7 },
    { row: 2, key: rowKey('r', 0), computed: 6 }
  ])
})

it('belongs to one identity: another identity, a new file and arbitrary bytes have no entries', () => {
  const bytes = new ArrayBuffer(ROW_HEADER_BYTES * (ROWS + 1))
  expect(new RowHeaders(bytes, ROWS).belongsTo(IDENTITY)).toBe(false)
  new RowHeaders(bytes, ROWS).begin('another')
  expect(new RowHeaders(bytes, ROWS).belongsTo(IDENTITY)).toBe(false)
  new Uint8Array(bytes).fill(0xa5)
  expect(new RowHeaders(bytes, ROWS).belongsTo(IDENTITY)).toBe(false)
})
