import { fork } from 'node:child_process'
import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { aRequest } from '../queue/a-request.ts'
import { TRICKS } from '../queue/fake-engine.ts'
import { endOf, readAll, readUntil } from '../queue/read-all.ts'
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

  it('that is killed loses what it ran; its successor serves the rest', async () => {
    await using workers = startWorkers({ slots: 1 })
    const [lost, waiting] = [aRequest({ maxNewTokens: 100_000 }), aRequest()]
    await workers.queue.submit(lost)
    await workers.queue.submit(waiting)
    await readUntil(workers.queue, lost.id, 'token')
    const [pid = 0] = workers.pids()
    process.kill(pid, 'SIGKILL')
    expect(await endOf(workers.queue, lost.id)).toBe('worker_lost')
    expect(await endOf(workers.queue, waiting.id)).toBe('finished')
    expect(workers.pids()).not.toEqual([pid])
  })

  it('that crashes in native code is started again as often as it takes', async () => {
    await using workers = startWorkers({ slots: 1 })
    const requests = [TRICKS.crash, 1, TRICKS.crash, TRICKS.crash, 1].map(token => aRequest({ prompts: [{ tokenIds: [token] }] }))
    for (const request of requests) await workers.queue.submit(request)
    const ends = await Promise.all(requests.map(request => endOf(workers.queue, request.id)))
    expect(ends).toEqual(['worker_lost', 'finished', 'worker_lost', 'worker_lost', 'finished'])
  })

  it('does not take its neighbour with it', async () => {
    await using workers = startWorkers({ slots: 1 }, { workers: 2 })
    const requests = [aRequest({ maxNewTokens: 100 }), aRequest({ prompts: [{ tokenIds: [TRICKS.crash] }] })]
    for (const request of requests) await workers.queue.submit(request)
    expect(await Promise.all(requests.map(request => endOf(workers.queue, request.id)))).toEqual(['finished', 'worker_lost'])
  })

  it('whose native run hangs is killed, though its event loop lives', async () => {
    await using workers = startWorkers({}, { stepTimeoutMs: 200 })
    const request = aRequest({ prompts: [{ tokenIds: [TRICKS.hang] }] })
    await workers.queue.submit(request)
    expect(await endOf(workers.queue, request.id)).toBe('worker_lost')
    expect(workers.logged).toContain('a worker hangs and is killed')
  })

  it('that is stopped and says nothing is killed', async () => {
    await using workers = startWorkers({}, { stepTimeoutMs: 200 })
    await workers.supervisor.ready
    const [pid = 0] = workers.pids()
    process.kill(pid, 'SIGSTOP')
    await workers.hasLogged('a worker is ready', 2)
    expect(isAlive(pid)).toBe(false)
  })

  it('is left alone while it is idle, for longer than a step may take', async () => {
    await using workers = startWorkers({}, { stepTimeoutMs: 500 })
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

  it('that dies again and again while it loads is given up', async () => {
    await using workers = startWorkers({ loading: 'dies' })
    const request = aRequest()
    await workers.queue.submit(request)
    expect(await workers.supervisor.fatal).toContain('signal SIGKILL')
    expect(await endOf(workers.queue, request.id)).toBe('unavailable')
  })

  it('that cannot load its model says why in one line, and is not tried again', async () => {
    await using workers = startWorkers({ loading: 'fails' }, { workers: 2 })
    expect(await workers.supervisor.fatal).toBe('the model file is broken')
    await expect(workers.queue.submit(aRequest())).rejects.toMatchObject({ code: 'unavailable', message: 'the model could not be loaded' })
    expect(workers.logged.filter(message => message.includes('started again'))).toEqual([])
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

  it('ends when its parent is killed', async () => {
    const parent = fork(new URL('./orphaning-parent.ts', import.meta.url), { execArgv: [], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    const [pids] = (await once(parent, 'message')) as [number[]]
    expect(pids.map(isAlive)).toEqual([true, true])
    parent.kill('SIGKILL')
    await expect.poll(() => pids.map(isAlive)).toEqual([false, false])
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

  it('kills what does not end in time', async () => {
    const workers = startWorkers()
    const request = aRequest({ prompts: [{ tokenIds: [TRICKS.hold] }] })
    await workers.queue.submit(request)
    await readUntil(workers.queue, request.id, 'token')
    const deadline = new AbortController()
    const stopped = workers.supervisor.stop(deadline.signal)
    expect(workers.supervisor.workers).toMatchObject([{ state: 'draining' }])
    deadline.abort()
    await stopped
    expect(await endOf(workers.queue, request.id)).toBe('worker_lost')
    expect(workers.pids().map(isAlive)).toEqual([false])
  })

  it('is possible while workers still load', async () => {
    const workers = startWorkers({ loading: 'hangs' })
    const pids = workers.pids()
    await workers.supervisor.stop(never)
    expect(pids.map(isAlive)).toEqual([false])
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
