import { handleShutdown } from '../../../src/server/shutdown.ts'
import { aRequest } from '../../queue/a-request.ts'
import { endOf, readUntil } from '../../queue/read-all.ts'
import { startWorkers } from './start-workers.ts'

/** A server without HTTP: runs one request, sends its workers' pids once that streams, and then how it ended. */
const workers = startWorkers({ stepMs: 20 }, { workers: 2 })
handleShutdown({
  drainMs: 20_000,
  drain: async signal => {
    await workers.queue.drain(signal)
    await workers.supervisor.stop(signal)
  },
  killNow: () => workers.supervisor.kill(),
  log: { info: () => {}, warn: () => {}, error: () => {} },
  process
})
const request = aRequest({ maxNewTokens: Number(process.argv[2]) })
await workers.hasLogged('a worker is ready', 2)
await workers.queue.submit(request)
await readUntil(workers.queue, request.id, 'token')
process.send?.(workers.pids())
process.send?.(await endOf(workers.queue, request.id))
