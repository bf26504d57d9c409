import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { owned } from '../processes/owned-process.ts'
import { isAlive } from './workers/start-workers.ts'

/** Starts a server in a separate process group, with a running request of that many tokens. */
async function serve(tokens: number): Promise<{ server: ChildProcess; pids: number[]; signalGroup: (signal: NodeJS.Signals) => void }> {
  const server = owned(
    fork(new URL('./workers/signalled-parent.ts', import.meta.url), [String(tokens)], {
      detached: true,
      execArgv: [],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc']
    })
  )
  const [pids] = (await once(server, 'message')) as [number[]]
  return { server, pids, signalGroup: signal => process.kill(-(server.pid ?? 0), signal) }
}

describe('a server whose process group is signalled', () => {
  it.each(['SIGINT', 'SIGTERM'] as const)('finishes its streams, exits with 0, and leaves no worker behind (%s)', async signal => {
    const { server, pids, signalGroup } = await serve(30)
    const exit = once(server, 'exit')
    signalGroup(signal)
    signalGroup(signal)
    expect(await once(server, 'message')).toEqual(['finished', undefined])
    expect(await exit).toEqual([0, null])
    expect(pids.map(isAlive)).toEqual([false, false])
  })

  it('exits at once at a second signal one second later', async () => {
    const { server, pids, signalGroup } = await serve(1_000_000)
    const exit = once(server, 'exit')
    const firstAtMs = Date.now()
    signalGroup('SIGINT')
    await expect.poll(() => Date.now() - firstAtMs, { timeout: 5_000 }).toBeGreaterThan(1_100)
    signalGroup('SIGINT')
    expect(await exit).toEqual([130, null])
    await expect.poll(() => pids.map(isAlive)).toEqual([false, false])
  })
})
