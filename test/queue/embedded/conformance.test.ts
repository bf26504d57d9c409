import { describe } from 'vitest'
import { EmbeddedQueue } from '../../../src/queue/embedded/embedded-queue.ts'
import { describeQueue } from '../conformance.ts'
import { joinInProcess } from './in-process-worker.ts'

describe('the embedded queue', () => {
  describeQueue(async options => {
    const queue = new EmbeddedQueue(options)
    return {
      queue,
      startWorker: async slots => joinInProcess(queue, slots),
      [Symbol.asyncDispose]: () => queue.drain(AbortSignal.abort())
    }
  })
})
