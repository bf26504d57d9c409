/** Most time that all long work together takes in one iteration of the event loop. */
const BUDGET_MS = 4

/** Captured when the module is loaded: a test that replaces the timers must not stop other work. */
const nextIteration = setImmediate

/** Pieces of work that wait for a later iteration, first come, first served. */
const waiting: (() => void)[] = []
/** Start of the first long work of this iteration (`performance.now`); null where there was none yet. */
let begunAtMs: number | null = null

/**
 * Must be called before each piece of work that is one of many: pieces of long lists, frames of a long stream. A piece
 * should take a millisecond or two, since nothing interrupts it.
 *
 * @returns null when the piece may run now; else a promise that resolves when it may
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
    if (waiting.length > 0) void runWaiting()
  })
}

/** Resumes waiting callers one after the other until the budget is spent. */
async function runWaiting(): Promise<void> {
  begin()
  const untilMs = (begunAtMs ?? 0) + BUDGET_MS
  do {
    waiting.shift()?.()
    // Lets the continuation of the resumed caller run first.
    await null
  } while (waiting.length > 0 && performance.now() < untilMs)
}
