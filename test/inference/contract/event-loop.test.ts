import { setImmediate as nextIteration } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { eventLoopTurn } from '../../../src/inference/contract/event-loop.ts'

/** Synchronous work that takes `ms`. */
function work(ms: number): void {
  const untilMs = performance.now() + ms
  while (performance.now() < untilMs);
}

async function pieces(name: string, count: number, done: string[]): Promise<void> {
  for (let piece = 0; piece < count; piece++) {
    const turn = eventLoopTurn()
    if (turn !== null) await turn
    work(2)
    done.push(name)
  }
}

it('lets the event loop run between the pieces of all concurrent long work', async () => {
  const done: string[] = []
  const all = Promise.all(['a', 'b', 'c', 'd'].map(name => pieces(name, 20, done)))
  let isDone = false
  void all.then(() => {
    isDone = true
  })
  const perIteration: number[] = []
  for (let before = done.length; !isDone; before = done.length) {
    await nextIteration()
    perIteration.push(done.length - before)
  }
  // A piece takes 2 of the 4 ms that all pieces share: only a few fit in one iteration.
  expect(Math.max(...perIteration.slice(1))).toBeLessThanOrEqual(4)
  expect(done).toHaveLength(80)
})

it('resumes waiting callers in order, so that none starves', async () => {
  const done: string[] = []
  await Promise.all([pieces('long', 40, done), pieces('short', 2, done)])
  expect(done.lastIndexOf('short')).toBeLessThan(12)
})

it('does not make a single caller wait', async () => {
  await nextIteration()
  await nextIteration()
  expect(eventLoopTurn()).toBeNull()
})
