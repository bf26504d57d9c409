import { JobRunner } from '../../../src/queue/worker/job-runner.ts'
import type { WorkerPool } from '../../../src/queue/worker-pool.ts'
import { FakeEngine } from '../fake-engine.ts'
import type { RigWorker } from '../rig.ts'

/**
 * A worker without a process: a real `JobRunner` and a `FakeEngine`, connected by a link whose messages arrive one turn
 * of the event loop later, as over IPC.
 */
export function joinInProcess(pool: WorkerPool, slots: number): RigWorker {
  let isDead = false
  const send = (message: () => void): void => {
    if (!isDead) setImmediate(message)
  }
  const receive = (message: () => void): unknown => setImmediate(() => isDead || message())
  const runner = new JobRunner({ emit: signal => send(() => worker.emit(signal)) }, 1_000_000)
  const engine = new FakeEngine({ slots, stepMs: 0, listener: runner })
  runner.serve(engine)
  const worker = pool.join({
    slots,
    start: (request, history) => receive(() => runner.start(request, history)),
    cancel: requestId => receive(() => runner.cancel(requestId))
  })
  return {
    engine,
    async kill() {
      isDead = true
      await engine.close()
      await new Promise(setImmediate)
      worker.leave()
    }
  }
}
