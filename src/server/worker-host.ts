import type { Engine, EngineListener, StepEvents } from '../inference/contract/engine.ts'
import { ServiceError } from '../inference/contract/errors.ts'
import { JobRunner, type Progress } from '../queue/worker/job-runner.ts'
import { FATAL_EXIT_CODE, type ParentMessage, parseParentMessage, type WorkerMessage } from './worker-protocol.ts'

export type BuildEngine = (listener: EngineListener) => Promise<Engine>

/**
 * The life of a worker process: load, serve what the parent sends, drain on its word.
 * Signals that reach the whole group are the parent's affair; without a parent there is nobody to work for.
 */
export async function hostWorker(heartbeatMs: number, buildEngine: BuildEngine): Promise<void> {
  process.on('SIGINT', () => {})
  process.on('SIGTERM', () => {})
  // SIGKILL: an orderly exit would wait for the native run in flight.
  process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))

  const uplink = {
    events: (events: StepEvents) => post({ kind: 'events', events }),
    running: (requestIds: readonly string[]) => post({ kind: 'running', requestIds }),
    advanced: (requestIds: readonly string[]) => post({ kind: 'advanced', requestIds }),
    heartbeat: (progress: Progress) => post({ kind: 'heartbeat', progress })
  }
  const runner = new JobRunner(uplink, heartbeatMs)
  process.on('message', raw => obey(parseParentMessage(raw), runner))
  try {
    const engine = await buildEngine(runner.listener)
    post({ kind: 'ready', description: engine.description })
    runner.serve(engine)
  } catch (error) {
    if (!(error instanceof ServiceError)) console.error(error)
    await send({ kind: 'fatal', message: firstLine(error) })
    process.exit(FATAL_EXIT_CODE)
  }
}

function obey(message: ParentMessage, runner: JobRunner): void {
  switch (message.kind) {
    case 'start':
      runner.start(message.request, message.history)
      break
    case 'cancel':
      runner.cancel(message.requestId)
      break
    case 'drain':
      void leave(runner)
      break
    default:
      message satisfies never
  }
}

async function leave(runner: JobRunner): Promise<void> {
  await runner.drain()
  await send({ kind: 'drained' })
  process.exit(0)
}

function post(message: WorkerMessage): void {
  void send(message)
}

/** Resolves when this message, and so all before it, has left the process; also when the parent is gone, which ends us anyway. */
function send(message: WorkerMessage): Promise<void> {
  return new Promise(resolve => process.send?.(message, undefined, undefined, () => resolve()))
}

function firstLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  return message.split('\n', 1)[0] ?? message
}
