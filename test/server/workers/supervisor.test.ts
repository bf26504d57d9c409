import { closeSync, fstatSync, ftruncateSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { createCacheFile } from '../../../src/inference/runtime/memory/cache-file.ts'
import { freeze } from '../../processes/owned-process.ts'
import { aRequest } from '../../queue/a-request.ts'
import { TRICKS } from '../../queue/fake-engine.ts'
import { firstDifference } from '../../queue/first-difference.ts'
import { endOf, readAll, readUntil } from '../../queue/read-all.ts'
import { isAlive, startWorkers } from './start-workers.ts'

const never = new AbortController().signal

describe('a supervised worker process', () => {
  it('answers requests', async () => {
    await using workers = startWorkers()
    expect(workers.supervisor.isReady).toBe(false)
    expect(await workers.supervisor.ready).toMatchObject({ slots: 4 })
    expect(workers.supervisor.isReady).toBe(true)
    const request = aRequest({ choicesPerPrompt: 2 })
    await workers.queue.submit(request)
    const entries = await readAll(workers.queue, request.id)
    expect(entries.map(({ event }) => event.kind)).toEqual(['started', ...Array(6).fill('token'), 'finished'])
  })

  it('that is killed loses nothing: its successor continues its requests, and their logs are those of an undisturbed run', async () => {
    await using workers = startWorkers({ slots: 2 })
    const shape = { choicesPerPrompt: 2, maxNewTokens: 60 }
    const [undisturbed, killed, waiting] = [aRequest(shape), aRequest(shape), aRequest()]
    await workers.queue.submit(undisturbed)
    const expected = await readAll(workers.queue, undisturbed.id)
    await workers.queue.submit(killed)
    await workers.queue.submit(waiting)
    await readUntil(workers.queue, killed.id, 'token')
    const [pid = 0] = workers.pids()
    process.kill(pid, 'SIGKILL')
    expect(firstDifference(await readAll(workers.queue, killed.id), expected)).toBeNull()
    expect(await endOf(workers.queue, waiting.id)).toBe('finished')
    expect(workers.pids()).not.toEqual([pid])
  })

  it('that crashes in native code is started again each time, and only the request that crashes it fails', async () => {
    await using workers = startWorkers({ slots: 1 })
    const requests = [TRICKS.crash, 1, TRICKS.crash, 1].map(token => aRequest({ prompts: [{ tokenIds: [token] }] }))
    for (const request of requests) await workers.queue.submit(request)
    const ends = await Promise.all(requests.map(request => endOf(workers.queue, request.id)))
    expect(ends).toEqual(['poisoned', 'finished', 'poisoned', 'finished'])
  })

  it('that crashes fails no other request of the batch', async () => {
    await using workers = startWorkers({ slots: 4 }, { workers: 2 })
    const healthy = Array.from({ length: 5 }, () => aRequest({ maxNewTokens: 50 }))
    const poison = aRequest({ prompts: [{ tokenIds: [TRICKS.crash] }] })
    for (const request of [...healthy.slice(0, 3), poison, ...healthy.slice(3)]) await workers.queue.submit(request)
    expect(await endOf(workers.queue, poison.id)).toBe('poisoned')
    const logs = await Promise.all(healthy.map(request => readAll(workers.queue, request.id)))
    for (const entries of logs) expect(firstDifference(entries, logs[0])).toBeNull()
    expect(logs[0]?.at(-1)?.event.kind).toBe('finished')
  })

  it.runIf(process.platform === 'linux')(
    'leaves its cache to its successor if it was killed, and an empty one if it crashed or found a bug',
    async () => {
      const cacheFile = createCacheFile() ?? -1
      ftruncateSync(cacheFile, 4096)
      {
        await using workers = startWorkers({ slots: 1 }, { cacheFiles: [cacheFile] })
        await workers.supervisor.ready
        const [pid = 0] = workers.pids()
        process.kill(pid, 'SIGKILL')
        await workers.hasLogged('a worker is ready', 2)
        expect(fstatSync(cacheFile).size).toBe(4096)
        for (const trick of [TRICKS.crash, TRICKS.bug]) {
          ftruncateSync(cacheFile, 4096)
          const poison = aRequest({ prompts: [{ tokenIds: [trick] }] })
          await workers.queue.submit(poison)
          expect(await endOf(workers.queue, poison.id)).toBe('poisoned')
          expect(fstatSync(cacheFile).size).toBe(0)
        }
      }
      closeSync(cacheFile)
    }
  )

  it.each(['works in a native call', 'throws in a native call'] as const)(
    'that finds a bug in itself (%s) reports it and is gone at once, as after a crash',
    async loading => {
      await using workers = startWorkers({ slots: 1, loading }, { stepTimeoutMs: 600_000 })
      const requests = [TRICKS.bug, 1].map(token => aRequest({ prompts: [{ tokenIds: [token] }] }))
      for (const request of requests) await workers.queue.submit(request)
      const ends = await Promise.all(requests.map(request => endOf(workers.queue, request.id)))
      expect(ends).toEqual(['poisoned', 'finished'])
      expect(workers.causes).toEqual(Array(3).fill('crash: a row has two owners'))
      expect(workers.logged).not.toContain('a worker does not exit and is killed')
    }
  )

  it('whose native run hangs is killed, although its event loop is free, and that counts as a death', async () => {
    await using workers = startWorkers({}, { stepTimeoutMs: 500 })
    const request = aRequest({ prompts: [{ tokenIds: [TRICKS.hang] }] })
    await workers.queue.submit(request)
    expect(await endOf(workers.queue, request.id)).toBe('poisoned')
    // On a crowded machine a worker may be killed before its run begins too, which does not count against the request.
    const kills = workers.logged.filter(message => message === 'a worker hangs and is killed').length
    expect(kills).toBeGreaterThanOrEqual(3)
    await workers.hasLogged('a worker died', kills)
    expect(workers.supervisor.deathCount).toBe(kills)
  })

  it('that is stopped and sends nothing is killed', async () => {
    await using workers = startWorkers({}, { stepTimeoutMs: 500 })
    await workers.supervisor.ready
    const [pid = 0] = workers.pids()
    freeze(pid)
    await workers.hasLogged('a worker is ready', 2)
    expect(isAlive(pid)).toBe(false)
  })

  it('is not killed while it is idle for longer than a step may take', async () => {
    await using workers = startWorkers({}, { stepTimeoutMs: 1000 })
    await workers.supervisor.ready
    const lastProgressAtMs = (): number => workers.supervisor.workers[0]?.lastProgressAtMs ?? 0
    const [pid] = workers.pids()
    const readyAtMs = lastProgressAtMs()
    await expect.poll(() => lastProgressAtMs() - readyAtMs, { timeout: 10_000 }).toBeGreaterThan(1000)
    expect(workers.pids()).toEqual([pid])
  })

  it('that hangs while it loads is killed', async () => {
    await using workers = startWorkers({ loading: 'hangs' }, { loadTimeoutMs: 50, stepTimeoutMs: 100 })
    expect(await workers.supervisor.fatal).toContain('died 5 times while it loaded the model (signal SIGKILL)')
  })

  it('that keeps dying while it loads is given up', async () => {
    await using workers = startWorkers({ loading: 'dies' })
    const request = aRequest()
    await workers.queue.submit(request)
    expect(await workers.supervisor.fatal).toContain('signal SIGKILL')
    expect(await endOf(workers.queue, request.id)).toBe('unavailable')
  })

  it('that cannot load its model reports the reason in one line, and is not started again', async () => {
    await using workers = startWorkers({ loading: 'fails' }, { workers: 2 })
    expect(await workers.supervisor.fatal).toBe('the model file is broken')
    await expect(workers.queue.submit(aRequest())).rejects.toMatchObject({ code: 'unavailable', message: 'the model could not be loaded' })
    expect(workers.logged.filter(message => message.includes('started again'))).toEqual([])
  })

  it.each([
    ['while a native call is in flight', 'fails in a native call', 'the tokenizer is broken'],
    ['and does not exit', 'stays', 'the cache is too large']
  ] as const)('that announces that it cannot start %s is gone at once', async (_when, loading, message) => {
    await using workers = startWorkers({ loading }, { loadTimeoutMs: 600_000 })
    const pids = workers.pids()
    expect(await workers.supervisor.fatal).toBe(message)
    expect(pids.map(isAlive)).toEqual([false])
    const killed = workers.logged.filter(line => line === 'a worker does not exit and is killed')
    expect(killed).toHaveLength(loading === 'stays' ? 1 : 0)
  })

  it('ignores signals that reach the whole group', async () => {
    await using workers = startWorkers()
    const request = aRequest({ maxNewTokens: 50 })
    await workers.queue.submit(request)
    await readUntil(workers.queue, request.id, 'token')
    for (const pid of workers.pids()) {
      process.kill(pid, 'SIGINT')
      process.kill(pid, 'SIGTERM')
    }
    expect(await endOf(workers.queue, request.id)).toBe('finished')
  })
})

describe('the end of a supervisor', () => {
  it('lets running requests end, then leaves no process behind', async () => {
    const workers = startWorkers({}, { workers: 2 })
    const request = aRequest({ maxNewTokens: 50 })
    await workers.queue.submit(request)
    await readUntil(workers.queue, request.id, 'token')
    const pids = workers.pids()
    await workers.supervisor.stop(never)
    expect(await endOf(workers.queue, request.id)).toBe('finished')
    expect(pids.map(isAlive)).toEqual([false, false])
    expect(workers.supervisor.isReady).toBe(false)
    expect(workers.supervisor.isHealthy).toBe(false)
  })

  it('waits for no native call of a worker that has drained: it ends itself', async () => {
    const workers = startWorkers({ loading: 'works in a native call' }, { workers: 2 })
    const request = aRequest({ maxNewTokens: 10 })
    await workers.queue.submit(request)
    await workers.hasLogged('a worker is ready', 2)
    const pids = workers.pids()
    await workers.supervisor.stop(never)
    expect(await endOf(workers.queue, request.id)).toBe('finished')
    expect(pids.map(isAlive)).toEqual([false, false])
    expect(workers.logged).not.toContain('a worker does not exit and is killed')
    expect(workers.supervisor.deathCount).toBe(0)
  })

  it('kills workers whose requests do not end in time', async () => {
    const workers = startWorkers()
    const request = aRequest({ prompts: [{ tokenIds: [TRICKS.hold] }] })
    await workers.queue.submit(request)
    await readUntil(workers.queue, request.id, 'token')
    const deadline = new AbortController()
    const stopped = workers.supervisor.stop(deadline.signal)
    expect(workers.supervisor.workers).toMatchObject([{ state: 'draining' }])
    deadline.abort()
    await stopped
    expect(await workers.queue.depth()).toEqual({ waiting: 1, running: 0 })
    expect(workers.pids().map(isAlive)).toEqual([false])
  })

  it('is possible while workers still load', async () => {
    const workers = startWorkers({ loading: 'hangs' })
    const pids = workers.pids()
    await workers.supervisor.stop(never)
    expect(pids.map(isAlive)).toEqual([false])
  })
})

describe('a spare worker', () => {
  it('has loaded the model and gets no requests while the others run', async () => {
    await using workers = startWorkers({ slots: 1 }, { spareWorkers: 1 })
    await workers.hasLogged('a worker is ready', 2)
    const requests = [aRequest({ prompts: [{ tokenIds: [TRICKS.hold] }] }), aRequest()]
    for (const request of requests) await workers.queue.submit(request)
    expect(await workers.queue.depth()).toEqual({ waiting: 1, running: 1 })
    expect(workers.supervisor.workers.map(({ state }) => state).sort()).toEqual(['ready', 'spare'])
  })

  it('replaces a worker that dies before another is loaded, and a new spare is started', async () => {
    await using workers = startWorkers({ slots: 1 }, { spareWorkers: 1 })
    await workers.hasLogged('a worker is ready', 2)
    const request = aRequest({ maxNewTokens: 30 })
    await workers.queue.submit(request)
    await readUntil(workers.queue, request.id, 'token')
    const byState = (expected: string): number[] =>
      workers.supervisor.workers.flatMap(({ pid, state }) => (state === expected ? [pid ?? 0] : []))
    const [[active = 0], [spare = 0]] = [byState('ready'), byState('spare')]
    process.kill(active, 'SIGKILL')
    await workers.hasLogged('a worker died')
    expect(byState('ready')).toEqual([spare])
    expect(workers.supervisor.isHealthy).toBe(true)
    expect(await endOf(workers.queue, request.id)).toBe('finished')
    expect(byState('ready')).toEqual([spare])
    await workers.hasLogged('a worker is ready', 3)
    expect(byState('ready')).toEqual([spare])
    expect(byState('spare')).not.toEqual([active])
  })

  it('keeps the server healthy while the worker hangs, and ends with the supervisor', async () => {
    const workers = startWorkers({}, { spareWorkers: 1, stepTimeoutMs: 2_000 })
    await workers.hasLogged('a worker is ready', 2)
    await workers.queue.submit(aRequest({ prompts: [{ tokenIds: [TRICKS.hang] }] }))
    await workers.hasLogged('a worker hangs and is killed')
    expect(workers.supervisor.isHealthy).toBe(true)
    const pids = workers.pids()
    await workers.supervisor.stop(AbortSignal.abort())
    expect(pids.map(isAlive)).toEqual(pids.map(() => false))
  })
})

describe('health', () => {
  it('is bad while a worker has work and makes no progress, and good when it is idle or works', async () => {
    await using workers = startWorkers({}, { stepTimeoutMs: 2_000 })
    expect(workers.supervisor.isHealthy).toBe(false)
    await workers.supervisor.ready
    expect(workers.supervisor.isHealthy).toBe(true)
    const working = aRequest({ maxNewTokens: 100 })
    await workers.queue.submit(working)
    await readUntil(workers.queue, working.id, 'token')
    expect(workers.supervisor.isHealthy).toBe(true)
    await workers.queue.submit(aRequest({ prompts: [{ tokenIds: [TRICKS.hang] }] }))
    await expect.poll(() => workers.supervisor.isHealthy, { timeout: 10_000 }).toBe(false)
    expect(workers.supervisor.workers).toMatchObject([{ state: 'ready' }])
  })
})
