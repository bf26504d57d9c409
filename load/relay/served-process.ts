import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { freePort } from '../free-port.ts'

const MAIN = fileURLToPath(new URL('../../src/server/main.ts', import.meta.url))

export interface Started extends AsyncDisposable {
  readonly port: number
  readonly pid: number
}

/** Starts `everstream serve` on a free loopback port and waits until it is ready. Disposal sends SIGTERM. */
export async function startServing(argv: readonly string[]): Promise<Started> {
  const port = await freePort()
  const child = spawn(process.execPath, [MAIN, 'serve', '--port', String(port), '--log-level', 'fatal', ...argv], {
    stdio: ['ignore', 'ignore', 'inherit']
  })
  while (child.exitCode === null) {
    const response = await fetch(`http://127.0.0.1:${port}/ready`, { signal: AbortSignal.timeout(5000) }).catch(() => null)
    await response?.body?.cancel()
    if (response?.status === 200) return started(child, port)
    await sleep(100)
  }
  throw new Error(`the server ended with code ${child.exitCode}`)
}

/** Starts a separate Redis without persistence. */
export async function startRedis(): Promise<Started> {
  const port = await freePort()
  const argv = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--maxmemory-policy', 'noeviction']
  return started(spawn('redis-server', argv, { stdio: 'ignore' }), port)
}

function started(child: ChildProcess, port: number): Started {
  return {
    port,
    pid: child.pid ?? -1,
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return
      const exited = once(child, 'exit')
      child.kill('SIGTERM')
      await exited
    }
  }
}
