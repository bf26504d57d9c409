import type { WorkerPool, WorkerSeat } from '../../../src/queue/embedded/worker-pool.ts'
import { JobRunner } from '../../../src/queue/worker/job-runner.ts'
import { FakeEngine } from '../fake-engine.ts'

/** A worker without a process: a real `JobRunner` and a `FakeEngine` behind a link whose messages arrive a turn later, as IPC's do. */
export function joinInProcess(pool: WorkerPool, slots: number): { readonly seat: WorkerSeat; readonly engine: FakeEngine } {
  const runner = new JobRunner(
    { events: events => setImmediate(() => seat.deliver(events)), running: () => {}, advanced: () => {}, heartbeat: () => {} },
    1_000_000
  )
  const engine = new FakeEngine({ slots, stepMs: 0, listener: runner.listener })
  runner.serve(engine)
  const seat = pool.join({
    slots,
    start: (request, history) => setImmediate(() => runner.start(request, history)),
    cancel: requestId => setImmediate(() => runner.cancel(requestId))
  })
  return { seat, engine }
}
