import { EventEmitter } from 'node:events'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { handleShutdown, type Shutdown } from '../../src/server/shutdown.ts'

class FakeProcess extends EventEmitter {
  readonly exitCodes: number[] = []
  exit(code: number): void {
    this.exitCodes.push(code)
  }
}

interface Server {
  readonly process: FakeProcess
  readonly shutdown: Shutdown
  readonly drains: AbortSignal[]
  readonly drained: PromiseWithResolvers<void>
  readonly killNow: ReturnType<typeof vi.fn<() => void>>
}

function serve(): Server {
  const process = new FakeProcess()
  const drains: AbortSignal[] = []
  const drained = Promise.withResolvers<void>()
  const killNow = vi.fn<() => void>()
  const shutdown = handleShutdown({
    drainMs: 30_000,
    drain: signal => {
      drains.push(signal)
      return drained.promise
    },
    killNow,
    log: { info: () => {}, warn: () => {}, error: () => {} },
    process
  })
  return { process, shutdown, drains, drained, killNow }
}

describe('a shutdown', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it.each(['SIGINT', 'SIGTERM'])('drains at the first %s and exits with 0', async signal => {
    const { process, shutdown, drains, drained, killNow } = serve()
    expect(shutdown.begun.aborted).toBe(false)
    process.emit(signal, signal)
    expect(shutdown.begun.aborted).toBe(true)
    expect(drains).toHaveLength(1)
    expect(process.exitCodes).toEqual([])
    drained.resolve()
    await vi.runAllTimersAsync()
    expect(process.exitCodes).toEqual([0])
    expect(killNow).not.toHaveBeenCalled()
  })

  it('treats signals within a second as one', () => {
    const { process, drains } = serve()
    process.emit('SIGINT', 'SIGINT')
    vi.advanceTimersByTime(999)
    process.emit('SIGINT', 'SIGINT')
    process.emit('SIGTERM', 'SIGTERM')
    expect(drains).toHaveLength(1)
    expect(process.exitCodes).toEqual([])
  })

  it('kills everything at once at a later signal', () => {
    const { process, killNow } = serve()
    process.emit('SIGTERM', 'SIGTERM')
    vi.advanceTimersByTime(1000)
    process.emit('SIGINT', 'SIGINT')
    expect(killNow).toHaveBeenCalledOnce()
    expect(process.exitCodes).toEqual([130])
  })

  it('aborts the drain at its deadline, and exits if the drain still hangs', () => {
    const { process, drains, killNow } = serve()
    process.emit('SIGTERM', 'SIGTERM')
    vi.advanceTimersByTime(29_999)
    expect(drains[0]?.aborted).toBe(false)
    vi.advanceTimersByTime(1)
    expect(drains[0]?.aborted).toBe(true)
    vi.advanceTimersByTime(5000)
    expect(killNow).toHaveBeenCalledOnce()
    expect(process.exitCodes).toEqual([1])
  })

  it('kills everything when the drain fails', async () => {
    const { process, drained, killNow } = serve()
    process.emit('SIGTERM', 'SIGTERM')
    drained.reject(new Error('broken'))
    await vi.runAllTimersAsync()
    expect(killNow).toHaveBeenCalledOnce()
    expect(process.exitCodes).toEqual([1])
  })

  it('can begin without a signal, with a given exit code', async () => {
    const { process, shutdown, drains, drained } = serve()
    shutdown.begin('the model cannot be loaded', 2)
    shutdown.begin('again')
    expect(drains).toHaveLength(1)
    drained.resolve()
    await vi.runAllTimersAsync()
    expect(process.exitCodes).toEqual([2])
  })

  it('removes its listeners', () => {
    const { process, shutdown } = serve()
    shutdown[Symbol.dispose]()
    expect(process.listenerCount('SIGINT') + process.listenerCount('SIGTERM')).toBe(0)
  })
})
