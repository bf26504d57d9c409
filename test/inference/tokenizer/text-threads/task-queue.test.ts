import fc from 'fast-check'
import { expect, it } from 'vitest'
import { type Sized, TaskQueue } from '../../../../src/inference/tokenizer/text-threads/task-queue.ts'

const BOUNDS = { tasks: 8, units: 4000 }
const sized = (units: number, requestUnits = units): Sized => ({ units, requestUnits })

it('never exceeds its bounds, and returns each task at most once', () => {
  const step = fc.oneof(fc.nat(3000), fc.constantFrom('take' as const, 'remove' as const))
  fc.assert(
    fc.property(fc.array(step), steps => {
      const queue = new TaskQueue<Sized>(BOUNDS)
      const waiting = new Set<Sized>()
      for (const one of steps) {
        if (one === 'take') {
          const task = queue.take()
          expect(task === null ? waiting.size === 0 : waiting.delete(task)).toBe(true)
        } else if (one === 'remove') {
          const [first] = waiting
          if (first === undefined) continue
          expect([queue.remove(first), queue.remove(first)]).toEqual([true, false])
          waiting.delete(first)
        } else {
          const task = sized(one)
          const units = [...waiting].reduce((sum, other) => sum + other.units, 0)
          const fits = waiting.size === 0 || (waiting.size < BOUNDS.tasks && units + one <= BOUNDS.units)
          if (fits) queue.add(task)
          else expect(() => queue.add(task)).toThrow(expect.objectContaining({ code: 'queue_full' }))
          if (fits) waiting.add(task)
        }
      }
    })
  )
})

it('takes small tasks before large ones, and those of one size class in order of arrival', () => {
  const queue = new TaskQueue<Sized>({ tasks: 100, units: 1e9 })
  const [huge, large, small, alsoSmall] = [sized(1_000_000), sized(20_000), sized(10), sized(0)]
  for (const task of [huge, large, small, alsoSmall]) queue.add(task)
  expect([queue.take(), queue.take(), queue.take()]).toEqual([small, alsoSmall, large])
})

it('takes tasks of small requests before those of requests that have already added much text', () => {
  const queue = new TaskQueue<Sized>({ tasks: 1000, units: 1e9 })
  for (let at = 1; at <= 256; at++) queue.add(sized(250, 250 * at))
  const word = sized(2)
  queue.add(word)
  expect([queue.take()?.requestUnits, queue.take()]).toEqual([250, word])
})

it('starves no task, however many smaller ones are added', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 1e6 }), { maxLength: 10 }), units => {
      const queue = new TaskQueue<Sized>({ tasks: 100, units: 1e9 })
      for (const one of units) queue.add(sized(one))
      const large = sized(1e6)
      queue.add(large)
      let turns = 1
      for (; queue.take() !== large; turns++) queue.add(sized(1))
      expect(turns).toBeLessThanOrEqual(4 * (units.length + 1))
    })
  )
})

it('accepts a task larger than its bounds when it is empty', () => {
  const queue = new TaskQueue<Sized>(BOUNDS)
  const large = sized(1e9)
  queue.add(large)
  expect(() => queue.add(sized(0))).toThrow()
  expect([queue.take(), queue.take()]).toEqual([large, null])
})
