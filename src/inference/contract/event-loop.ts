/** Long work takes no more than this of one iteration of the event loop, all of it together. */
const BUDGET_MS = 4

/** Taken when the module is loaded: a test that replaces the timers must not stop the work of others. */
const nextIteration = setImmediate

/** Work that waits for a later iteration, first come, first served. */
const waiting: (() => void)[] = []
/** When long work began in this iteration (`performance.now`); null: not yet. */
let begunAtMs: number | null = null

/**
 * To be asked before each piece of work that is one of many: pieces of long lists, frames of a long stream. A piece
 * should take a millisecond or two, since nothing interrupts it.
 *
 * @returns null when the piece may be done now; else a promise that resolves when it may
 */
export function eventLoopTurn(): Promise<void> | null {
  if (begunAtMs === null) {
    begin()
    return null
  }
  if (waiting.length === 0 && performance.now() - begunAtMs < BUDGET_MS) return null
  return new Promise(resolve => {
    waiting.push(resolve)
  })
}

function begin(): void {
  begunAtMs = performance.now()
  nextIteration(() => {
    begunAtMs = null
    if (waiting.length > 0) void letOn()
  })
}

/** Lets those that wait go on one after the other, each with its piece, while there is time. */
async function letOn(): Promise<void> {
  begin()
  const untilMs = (begunAtMs ?? 0) + BUDGET_MS
  do {
    waiting.shift()?.()
    // Behind the continuation of the one that was let on.
    await null
  } while (waiting.length > 0 && performance.now() < untilMs)
}
