import { pbkdf2 } from 'node:crypto'
import { ServiceError } from '../../../src/inference/contract/errors.ts'
import { hostWorker } from '../../../src/server/workers/worker-host.ts'
import { FakeEngine } from '../../queue/fake-engine.ts'
import type { FakeWorkerOptions } from './start-workers.ts'

/** Entry of a worker process around a `FakeEngine`. */
const { slots, stepMs, heartbeatMs, loading }: FakeWorkerOptions = JSON.parse(process.argv[2] ?? '')

await hostWorker(heartbeatMs, async host => {
  if (loading === 'fails') throw new ServiceError('unavailable', 'the model file is broken\nat its third byte')
  if (loading === 'fails in a native call') {
    startNativeCall()
    throw new ServiceError('unavailable', 'the tokenizer is broken')
  }
  if (loading === 'stays') {
    process.send?.({ kind: 'fatal', message: 'the cache is too large' })
    await new Promise(() => {})
  }
  if (loading === 'dies') process.kill(process.pid, 'SIGKILL')
  if (loading === 'hangs') await new Promise(() => {})
  if (loading === 'works in a native call' || loading === 'throws in a native call') startNativeCall()
  // An uncaught error, as of a message handler.
  const onCrash = (error: unknown): void =>
    void setImmediate(() => {
      throw error
    })
  return new FakeEngine({
    slots,
    stepMs,
    listener: host,
    onCrash: loading === 'throws in a native call' ? onCrash : error => host.onCrash(error)
  })
})

/** A thread of the pool computes for minutes: an exit of the process would wait for it. */
function startNativeCall(): void {
  pbkdf2('', '', 2 ** 31 - 1, 64, 'sha512', () => {})
}
